from . import arm, send
