"""How long from `radiuscore serve` to the first Access-Accept, and what each customer costs in a worker's memory.

    python -m benchmarks.startup [--customers 100000] [--rounds 5]

Prints one line per round and the medians, and the same as JSON.
"""

import argparse
import asyncio
import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.population import Population, populated
from benchmarks.product import serving


async def measure(population: Population) -> dict[str, float]:
    """Start a server, ask until it accepts, and weigh its worker."""
    began = time.perf_counter()
    async with serving(population) as server:
        took = time.perf_counter() - began
        return {"first_accept_s": took, "worker_octets": worker_octets(server.pid)}


def worker_octets(supervisor: int) -> int:
    """Return the private memory of the only worker (USS: what would be free without it)."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    for child in children:
        if b"radiuscore.server.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
            rollup = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
            return 1024 * sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    raise SystemExit("there is no worker to weigh")


async def run(customers: int, rounds: int) -> dict[str, Any]:
    async with populated(1) as alone:
        base = statistics.median([(await measure(alone))["worker_octets"] for _ in range(3)])
    results = []
    async with populated(customers) as population:
        for number in range(rounds):
            results.append(await measure(population))
            each = (results[-1]["worker_octets"] - base) / customers
            print(
                f"round {number + 1}: first accept after {results[-1]['first_accept_s']:.2f} s, {each:.0f} octets each"
            )
    return {
        "customers": customers,
        "rounds": rounds,
        "first_accept_s": statistics.median(result["first_accept_s"] for result in results),
        "octets_per_customer": (statistics.median(result["worker_octets"] for result in results) - base) / customers,
        "empty_worker_octets": base,
        "machine": platform.platform(),
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(run(arguments.customers, arguments.rounds)), indent=2))


if __name__ == "__main__":
    main()
