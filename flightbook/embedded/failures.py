"""What the wrapper stops for. Each of them ends as one line for the person who typed the command."""

import signal


class EmbeddedError(Exception):
    """The servers cannot be had; the message says why and what to do, in one line."""


class CommandNotFound(EmbeddedError):
    """The wrapped command does not exist or may not be run."""


class Stopped(Exception):
    """INT, TERM or HUP arrived while the servers were still starting.

    Attributes:
        signum: the signal that arrived.
    """

    def __init__(self, signum: signal.Signals) -> None:
        super().__init__(signum.name)
        self.signum = signum
