"""What `make bench` runs:  python -m benchmarks [BENCH ...], of the names in ALL and OTHERS."""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from benchmarks.load import LoadError
from benchmarks.running import StartError, say

ALL = ("predict", "network", "page", "memory", "database")
# Only when they are asked for: they take up to an hour.
OTHERS = ("swaps", "retrain", "soak", "monitoring")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure, and write benchmarks/results/.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="BENCH",
        help=f"of {', '.join(ALL)}, without one all of these; or {', '.join(OTHERS)}",
    )
    names = parser.parse_args(arguments).names or ALL
    if unknown := sorted(set(names) - {*ALL, *OTHERS}):
        print(
            f"BENCH '{unknown[0]}' is none of {', '.join(ALL + OTHERS)}: make bench BENCH=predict",
            file=sys.stderr,
        )
        return 2
    # Ended from outside, too, it takes down what it started.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))
    for name in names:
        try:
            results = importlib.import_module(f"benchmarks.{name}").measure()
        except (StartError, LoadError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        page = results.write()
        say(page.read_text(encoding="utf-8"))
        say(f"written to {page.relative_to(page.parent.parent.parent)} and .json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
