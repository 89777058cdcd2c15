"""How fast a system in containers answers, seen from a container beside it.

    docker compose run --rm benchmark

One client and 32 of them, known digits through the gateway's inner listener, where nobody is limited. The load
generator shares the server's cores with what it measures.
"""

import sys
from pathlib import Path

from benchmarks.figures import median, percentile, shown
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
        p50, p99 = median(measured.latencies_ms), percentile(measured.latencies_ms, 99)
        print(f"{clients:>7}  {shown(measured.per_second):>8}  {shown(p50):>7}  {shown(p99):>7}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
