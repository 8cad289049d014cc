"""The command line of ``python -m flightbook.embedded``."""

import argparse
import sys
from pathlib import Path

from flightbook.embedded import run
from flightbook.embedded.failures import CommandNotFound, EmbeddedError, Stopped
from flightbook.embedded.signals import StopSignals
from flightbook.embedded.terminal import tell

_VAR = Path(__file__).resolve().parents[2] / "var"


def main() -> int:
    """Exit status: the command's; 127 if it can't be run, 1 without the servers, 128 + n on signal n."""
    options = _parse()
    signals = StopSignals()
    try:
        return _run(options, signals)
    except Stopped as stopped:
        return 128 + stopped.signum
    except EmbeddedError as failure:
        tell(str(failure))
        return 127 if isinstance(failure, CommandNotFound) else 1
    except OSError as error:  # a full disk, a directory that is not ours
        tell(f"{error.strerror}: {error.filename}" if error.filename else str(error))
        return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m flightbook.embedded",
        description="Runs COMMAND beside PostgreSQL and Valkey of its own, where no URL names others.",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--ephemeral", action="store_true", help="fresh servers, removed at the end")
    kind.add_argument("--no-servers", action="store_true", help="the settings alone, for lint and types")
    kind.add_argument("--reset", action="store_true", help="remove the data that earlier runs kept")
    parser.add_argument(
        "--var", type=Path, default=_VAR, help="where the data live; for root, what names them"
    )
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    options = parser.parse_args()
    if bool(options.command) == options.reset:
        parser.error("--reset takes no command" if options.reset else "a command is needed")
    return options


def _run(options: argparse.Namespace, signals: StopSignals) -> int:
    var: Path = options.var.resolve()
    if options.reset:
        run.remove_kept_data(signals, var)
        return 0
    if options.no_servers:
        return run.run_without_servers(options.command, signals, var)
    if options.ephemeral:
        return run.run_with_ephemeral_servers(options.command, signals, var)
    return run.run_with_kept_servers(options.command, signals, var)


if __name__ == "__main__":
    sys.exit(main())
