"""What it costs to record accounting: reports per second through `store.sessions.record`, and CPU for each.

    python -m benchmarks.accounting [--sessions 100000] [--batches 100 500]

One connection, one batch at a time, every commit durable; each figure is of random sessions out of all live ones.
Prints a line per measurement, and the same as JSON.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import asyncpg

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.store.embedded import EmbeddedPostgres
from radiuscore.store.migrate import migrate
from radiuscore.store.pool import SYSTEM_ROLE, connect
from radiuscore.store.sessions import record
from radiuscore.wire.codes import AcctStatusType

PER_NAS: Final = 1_000
PER_ISP: Final = 5_000
INTERVAL_S: Final = 300
_TICK_US: Final = 1_000_000 / os.sysconf("SC_CLK_TCK")

Make = Callable[[int], AccountingEvent]


class Population:
    """Sessions that began an hour ago; `interim` is the next report of one of them."""

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions
        self.began = time.time() - 3600
        self._reports = [0] * sessions

    def start(self, number: int) -> AccountingEvent:
        return self._report(number, AcctStatusType.START, 0)

    def interim(self, number: int) -> AccountingEvent:
        self._reports[number] += 1
        return self._report(number, AcctStatusType.INTERIM_UPDATE, self._reports[number])

    def again(self, number: int) -> AccountingEvent:
        return self._report(number, AcctStatusType.INTERIM_UPDATE, self._reports[number])

    def stop(self, number: int) -> AccountingEvent:
        self._reports[number] += 1
        return self._report(number, AcctStatusType.STOP, self._reports[number])

    def restart(self, number: int) -> AccountingEvent:
        """Return a Start that uses the id of a session whose Stop was lost."""
        return self.start(number)._replace(received_at=self.began + 1_000_000)

    def _report(self, number: int, status: AcctStatusType, reports: int) -> AccountingEvent:
        elapsed = reports * INTERVAL_S
        return AccountingEvent(
            isp_id=1 + number // PER_ISP,
            nas_id=1 + number // PER_NAS,
            status=status,
            acct_session_id=f"81{number:06x}",
            username=f"customer{number}@example.com",
            username_key=f"customer{number}@example.com",
            received_at=self.began + elapsed,
            session_time=elapsed if reports else None,
            input_octets=reports * 10**6 if reports else None,
            output_octets=reports * 10**7 if reports else None,
            session_uuid=number.to_bytes(16, "big"),
            customer_id=number + 1,
            plan_id=1,
            framed_ip_address=IPv4Address("100.64.0.0") + number,
            calling_station_id=f"AA:BB:CC:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}",
            called_station_id="service1",
            nas_ip_address=IPv4Address("192.168.88.1"),
            nas_identifier="MikroTik",
            nas_port=number,
            nas_port_id="ether2",
            nas_port_type=15,
            service_type=2,
            event_timestamp=int(self.began) + elapsed,
            interim_interval_s=INTERVAL_S,
            local_address="10.0.0.1",
        )


async def measure(
    db: "asyncpg.Connection[Any]", what: str, make: Make, numbers: Sequence[int], batch: int
) -> dict[str, Any]:
    """Record one report of each of these sessions."""
    backend = db.get_server_pid()
    cpu, own, waits = cpu_us(backend), time.process_time(), []
    for first in range(0, len(numbers), batch):
        events = [make(number) for number in numbers[first : first + batch]]
        began = time.perf_counter()
        await record(db, events)
        waits.append(time.perf_counter() - began)
    waits.sort()
    figures = {
        "what": what,
        "batch": batch,
        "per_s": round(len(numbers) / sum(waits)),
        "postgres_us": round((cpu_us(backend) - cpu) / len(numbers), 1),
        "python_us": round((time.process_time() - own) * 1e6 / len(numbers), 1),
        "p50_ms": round(waits[len(waits) // 2] * 1e3, 1),
        "p99_ms": round(waits[len(waits) * 99 // 100] * 1e3, 1),
    }
    print(
        f"{what:28} batch {batch:4}: {figures['per_s']:6} reports/s, PostgreSQL {figures['postgres_us']:6} us, "
        f"Python {figures['python_us']:5} us each, p50 {figures['p50_ms']:6} ms, p99 {figures['p99_ms']:6} ms"
    )
    return figures


async def run(dsn: str, sessions: int, batches: Sequence[int]) -> list[dict[str, Any]]:
    population = Population(sessions)
    chance = random.Random(1)
    everyone = range(sessions)
    figures = []
    db = await connect(dsn, role=SYSTEM_ROLE)
    owner = await connect(dsn)
    try:
        figures.append(await measure(db, "Start", population.start, everyone, 500))
        await owner.execute("VACUUM ANALYZE accounting.sessions")
        for batch in [*batches, *batches]:
            some = chance.sample(everyone, min(sessions, 200 * batch))
            figures.append(await measure(db, "Interim-Update", population.interim, some, batch))
        some = chance.sample(everyone, min(sessions, 20_000))
        figures.append(await measure(db, "retransmission", population.again, some, 500))
        figures.append(await measure(db, "Stop", population.stop, some, 500))
        rest = sorted(set(everyone) - set(some))[:20_000]
        figures.append(await measure(db, "Start that reuses an id", population.restart, rest, 500))
    finally:
        await db.close()
        await owner.close()
    return figures


def cpu_us(pid: int) -> float:
    """Return the CPU time that a process has used, in microseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_US


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[10, 100, 500])
    options = parser.parse_args()
    home = Path(tempfile.gettempdir(), f"radiuscore-benchmark-{secrets.token_hex(4)}")
    try:
        async with EmbeddedPostgres(home) as server:
            await migrate(server.dsn(), schema="accounting")
            figures = await run(server.dsn(), options.sessions, options.batches)
            machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
            print(json.dumps({"machine": machine, "postgres": server.version, "figures": figures}))
    finally:
        await asyncio.to_thread(shutil.rmtree, home, True)


if __name__ == "__main__":
    asyncio.run(main())
