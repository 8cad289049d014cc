"""The wrapper's own words on the terminal."""

import sys


def tell(sentence: str) -> None:
    """Writes one line to the standard error, marked as ours among the command's output."""
    print(f"flightbook: {sentence}", file=sys.stderr, flush=True)  # noqa: T201
