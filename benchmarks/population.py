"""A database with as many customers as wanted: the common ground of the benchmarks."""

import asyncio
import secrets
import shutil
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from radiuscore.aaa.names import username_key
from radiuscore.store.embedded import EmbeddedPostgres
from radiuscore.store.migrate import migrate
from radiuscore.store.sealing import Keyring

SECRET: Final = b"benchmark secret"
NAS_ADDRESS: Final = "127.0.0.1"
_CUSTOMERS_PER_ISP: Final = 5_000
_COLUMNS: Final = ("id", "isp_id", "username", "username_key", "password", "service_plan_id")


@dataclass(frozen=True)
class Population:
    """Where the database is, its first process, and what it holds: ISP 1 has the device at 127.0.0.1."""

    dsn: str
    encryption_keys: str
    customers: int
    isps: int
    postmaster: int
    postgres: str


def username(number: int) -> str:
    return f"customer{number}@example.com"


def password(number: int) -> str:
    return f"password-{number}"


@asynccontextmanager
async def populated(customers: int, per_isp: int = _CUSTOMERS_PER_ISP) -> AsyncIterator[Population]:
    """Give an embedded PostgreSQL with this many customers, so many to an ISP; it is gone afterwards."""
    home = Path(tempfile.gettempdir(), f"radiuscore-benchmark-{secrets.token_hex(4)}")
    keys = f"k1:{b64encode(secrets.token_bytes(32)).decode()}"
    try:
        async with EmbeddedPostgres(home) as server:
            await migrate(server.dsn(), schema="control")
            await migrate(server.dsn(), schema="accounting")
            isps = -(-customers // per_isp)
            await _fill(server.dsn(user="postgres"), Keyring.parse(keys), customers, per_isp)
            yield Population(server.dsn(), keys, customers, isps, _postmaster(home), server.version)
    finally:
        await asyncio.to_thread(shutil.rmtree, home, True)


def _postmaster(home: Path) -> int:
    return int((home / "data" / "postmaster.pid").read_text().splitlines()[0])


async def _fill(dsn: str, keyring: Keyring, customers: int, per_isp: int) -> None:
    """Write everything as the superuser: COPY is refused to who is under row-level security."""
    isps = -(-customers // per_isp)
    db = await asyncpg.connect(dsn)
    try:
        await db.execute(
            "INSERT INTO control.isps (id, name, company_name, email, api_key, max_customers) "
            "SELECT n, 'isp ' || n, 'isp ' || n, 'isp' || n || '@example.com', encode(sha256(n::text::bytea), 'hex'), "
            "0 FROM generate_series(1, $1::int) AS n",
            isps,
        )
        await db.execute(
            "INSERT INTO control.service_plans (id, isp_id, name, download_bps, upload_bps, framed_pool) "
            "SELECT n, n, 'home', 50000000, 10000000, 'customers' FROM generate_series(1, $1::int) AS n",
            isps,
        )
        secret = keyring.seal(SECRET, table="devices", row=1, column="radius_secret", isp_id=1)
        await db.execute(
            "INSERT INTO control.devices (id, isp_id, device_name, device_ip, radius_secret) "
            "VALUES (1, 1, 'router', $1, $2)",
            NAS_ADDRESS,
            secret,
        )
        await db.copy_records_to_table(
            "customers", schema_name="control", columns=_COLUMNS, records=_customers(keyring, customers, per_isp)
        )
        await db.execute("VACUUM ANALYZE control.customers")
    finally:
        await db.close()


def _customers(keyring: Keyring, customers: int, per_isp: int) -> Iterator[tuple[object, ...]]:
    for number in range(1, customers + 1):
        isp_id = (number - 1) // per_isp + 1
        sealed = keyring.seal(password(number), table="customers", row=number, column="password", isp_id=isp_id)
        yield number, isp_id, username(number), username_key(username(number)), sealed, isp_id
