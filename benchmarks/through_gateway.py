"""Throughput and latency of a system in containers, measured from another container.

    docker compose run --rm benchmark

1 and 32 clients post known digits to the gateway's inner listener, which has no rate limit. The load generator shares
the server's cores with the system.
"""

import sys
from pathlib import Path

from benchmarks.figures import format_number, summarize
from benchmarks.load import LoadError, Target, run

DIGITS = Path(__file__).parent.parent / "training" / "known_digits"
GATEWAY = Target("gateway", 8001, "/predictions/mnist", host="gateway-inner")
CLIENTS = (1, 32)
SECONDS = 5.0


def main() -> int:
    bodies = [(DIGITS / f"{digit}.png").read_bytes() for digit in range(10)]
    print(f"{'clients':>7}  {'a second':>8}  {'p50 ms':>7}  {'p99 ms':>7}")
    for clients in CLIENTS:
        try:
            measured = run(GATEWAY, bodies, clients, SECONDS, warm_up_s=1)
        except (LoadError, OSError) as error:
            print(f"Gateway unavailable: {error}. See: make status", file=sys.stderr)
            return 1
        p50, p99, _ = summarize(measured.latencies_ms)
        print(f"{clients:>7}  {format_number(measured.per_second):>8}  {p50:>7}  {p99:>7}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
