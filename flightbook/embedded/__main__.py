"""The command line of ``python -m flightbook.embedded``."""

import argparse
import shutil
import sys
from pathlib import Path

from flightbook.embedded import places, run
from flightbook.embedded.failures import CommandNotFound, EmbeddedError, Stopped
from flightbook.embedded.signals import StopSignals

_VAR = Path(__file__).resolve().parents[2] / "var"


def main() -> int:
    """Exit status: the command's; 127 if it can't be run, 1 if the servers can't be had, 128 + n on signal n."""
    options = _parse()
    signals = StopSignals()
    try:
        return _run(options, signals)
    except Stopped as stopped:
        return 128 + stopped.signum
    except CommandNotFound as failure:
        return _complain(str(failure), 127)
    except EmbeddedError as failure:
        return _complain(str(failure), 1)
    except OSError as error:  # a full disk, a directory that is not ours
        return _complain(f"{error.strerror}: {error.filename}" if error.filename else str(error), 1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m flightbook.embedded",
        description="Runs COMMAND beside PostgreSQL and Valkey of its own, where no URL names others.",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--ephemeral", action="store_true", help="fresh servers, removed at the end")
    kind.add_argument(
        "--no-servers", action="store_true", help="the settings alone, for tools that need no server"
    )
    parser.add_argument(
        "--var", type=Path, default=_VAR, help="where the data live (for root: what names them)"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args()


def _run(options: argparse.Namespace, signals: StopSignals) -> int:
    var: Path = options.var.resolve()
    if options.no_servers:
        return run.run_without_servers(options.command, signals, var)
    if options.ephemeral:
        return run.run_with_ephemeral_servers(options.command, signals, var)
    return run.run_with_kept_servers(options.command, signals, var)


def _complain(sentence: str, code: int) -> int:
    print(f"flightbook: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
