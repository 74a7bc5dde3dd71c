from . import database, dispatcher, message, answer, action, desk, record
