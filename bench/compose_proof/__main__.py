"""Brings the composed system up from nothing, uses it, takes it apart piece by piece, and takes it down.

    python -m bench.compose_proof [--keep] [NAME ...]     from the project's root, with the image built

Needs Docker with Compose, and the development packages. Every line says what was seen; the first thing that
is not as promised ends it with status 1. Without --keep the data go with the system.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.compose_proof import (
    abuse,
    clusters,
    costs,
    failures,
    members,
    pools,
    recovery,
    seeing,
    sentinels,
    standbys,
    use,
)
from bench.compose_proof.stack import scale, take_down, up

# Standbys and Sentinels are laid over the system and stay; the last part takes it down.
_PARTS = (use, seeing, abuse, failures, pools, costs, recovery, standbys, members, sentinels, clusters)
CHECKS = {check.__name__: check for part in _PARTS for check in part.CHECKS}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.compose_proof", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*CHECKS, []], help="the checks to run; all where none is named"
    )
    parser.add_argument("--keep", action="store_true", help="leave the system running")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        up()
        _say("up", "all healthy", began)
        for name in options.names or CHECKS:
            _check(name)
        _say("the whole", "as promised", began)
    finally:
        if not options.keep:
            take_down()


def _check(name: str) -> None:
    began = time.monotonic()
    if CHECKS[name] in failures.OF_REPLICAS:
        scale(**failures.REPLICAS)
    _say(name, CHECKS[name](), began)


def _say(name: str, seen: str, began: float) -> None:
    sys.stdout.write(f"{name.replace('_', ' '):<34}{time.monotonic() - began:4.0f} s  {seen}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
