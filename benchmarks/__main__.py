"""The command behind `make bench`:  python -m benchmarks [BENCH ...], names from ALL and OTHERS."""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from benchmarks.load import LoadError
from benchmarks.running import StartError, say

ALL = ("predict", "network", "page", "memory", "database")
# Only by name: they take up to an hour.
OTHERS = ("swaps", "retrain", "soak", "monitoring")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure, and write benchmarks/results/.")
    meaning = f"of {', '.join(ALL)} (default: all of these), or {', '.join(OTHERS)}"
    parser.add_argument("names", nargs="*", metavar="BENCH", help=meaning)
    names = parser.parse_args(arguments).names or ALL
    if unknown := sorted(set(names) - {*ALL, *OTHERS}):
        accepted = ", ".join(ALL + OTHERS)
        print(f"BENCH '{unknown[0]}' is none of {accepted}: make bench BENCH=predict", file=sys.stderr)
        return 2
    # SIGTERM unwinds the stack, so that every started process is stopped.
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
