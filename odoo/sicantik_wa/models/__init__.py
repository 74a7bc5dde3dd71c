from . import database, message
