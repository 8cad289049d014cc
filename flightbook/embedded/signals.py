"""INT, TERM and HUP as a fact to ask about, so that no step of starting or stopping is cut in half."""

import signal
from types import FrameType

from flightbook.embedded.failures import Stopped


class StopSignals:
    """Remembers the first INT, TERM or HUP that this process received.

    The handlers are set explicitly because a shell hands an *ignored* INT down to what it starts in the
    background (POSIX, "Signals and Error Handling"), and Python then installs none of its own. An ignored HUP
    is what nohup asks for, and stays.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self._remember)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._remember)

    def _remember(self, signum: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(signum)

    def check(self) -> None:
        """Raises ``Stopped`` if a signal has arrived; to be called between the steps of a start."""
        if self.received is not None:
            raise Stopped(self.received)
