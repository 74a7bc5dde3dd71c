from . import database, message, answer, action, desk
