"""What a first run stops for."""


class FirstRunError(Exception):
    """The system cannot run; the message says why and what to do, in one line."""
