"""Measures `POST /book-flight` against the database alone and against a twin on FastAPI and asyncpg.

    python -m bench.booking [--short]     from the project's root; `make bench-booking` installs the twin

The contenders take turns, in a new order each round, on a fresh database each: PostgreSQL with fsync, all on
this machine, the worker of captures running beside each of them, the auditor after each. What counts are the
ratios within a round. Writes docs/benchmarks/booking.md and booking.svg, but for the short form.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import time

from bench.booking import report
from bench.booking.cells import Bench, Cell, Result
from bench.booking.servers import Servers
from flightbook.embedded.failures import Stopped
from flightbook.embedded.signals import StopSignals

CONTENDERS = ("product", "pgbench", "twin")
FLIGHTS = ("uniform", "hot")


def main() -> int:
    options = _parse()
    signals = StopSignals()
    servers = Servers(signals, port=options.port)
    began = time.monotonic()
    try:
        servers.start()
        os.environ.update(servers.environment)
        _set_up_django()
        rounds = _measure(Bench(servers, seconds=options.seconds), options, signals)
    except Stopped as stopped:
        return 128 + stopped.signum
    finally:
        servers.stop()
    table = report.table(rounds)
    sys.stdout.write(f"\n{table}\n\n{report.spent(rounds)}\n\nIn all {time.monotonic() - began:.0f} s.\n")
    if not options.short:
        report.write(rounds, seconds=options.seconds)
    return 0


def _measure(bench: Bench, options: argparse.Namespace, signals: StopSignals) -> list[list[Result]]:
    kinds = list(itertools.product(options.flights, options.connections))
    rounds = []
    for number in range(options.repeats):
        results = []
        for flights, connections in kinds:
            turns = list(options.contenders)
            random.shuffle(turns)
            for contender in turns:
                signals.check()
                results.append(bench.run(Cell(contender, flights, connections)))
                report.say(number, results[-1])
        rounds.append(results)
    return rounds


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.booking",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--short", action="store_true", help="two rounds of three seconds; writes no file")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--seconds", type=int, help="of each cell")
    parser.add_argument("--connections", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--flights", nargs="+", choices=FLIGHTS, default=FLIGHTS)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--port", type=int, default=8240)
    options = parser.parse_args()
    options.repeats = options.repeats or (2 if options.short else 5)
    options.seconds = options.seconds or (3 if options.short else 6)
    return options


def _set_up_django() -> None:
    import django  # noqa: PLC0415  # the settings are there only now

    django.setup()


if __name__ == "__main__":
    sys.exit(main())
