"""How long from `radiuscore serve` to the first Access-Accept, and what each customer costs in a worker's memory.

    python -m benchmarks.startup [--customers 100000] [--rounds 5]

Prints one line per round and the medians, and the same as JSON.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.population import NAS_ADDRESS, SECRET, Population, password, populated, username
from radiuscore.testing import FakeNas, NoReply


async def measure(population: Population) -> dict[str, float]:
    """Start a server, ask until it accepts, and weigh its worker."""
    auth, acct, api = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DATABASE_URL": population.dsn,
            "ENCRYPTION_KEYS": population.encryption_keys,
            "JWT_SECRET_KEY": "of a benchmark, and long enough to be one",
            "DATA_DIR": folder,
            "RADIUS_HOST": "127.0.0.1",
            "RADIUS_AUTH_PORT": str(auth),
            "RADIUS_ACCT_PORT": str(acct),
            "API_PORT": str(api),
            "RADIUS_WORKERS": "1",
        }
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mgmt",
            "serve",
            env=environment,
            cwd=folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await first_accept(auth)
            took = time.perf_counter() - began
            return {"first_accept_s": took, "worker_octets": worker_octets(process.pid)}
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def first_accept(port: int) -> None:
    """Ask until the server accepts a login."""
    async with FakeNas(SECRET, auth=("127.0.0.1", port), source=NAS_ADDRESS, tries=1, timeout_s=0.02) as nas:
        while True:
            try:
                login = await nas.login(username(1), password(1))
            except NoReply:
                continue
            if login.accepted:
                return
            raise SystemExit(f"the login was rejected: {login.reason}")


def worker_octets(supervisor: int) -> int:
    """Return the private memory of the only worker (USS: what would be free without it)."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    for child in children:
        if b"radiuscore.server.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
            rollup = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
            return 1024 * sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    raise SystemExit("there is no worker to weigh")


def free_port() -> int:
    """Return a port that is free for UDP and TCP at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


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
