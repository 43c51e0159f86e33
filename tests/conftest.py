"""Fixtures that need a PostgreSQL: one cluster per run, one fresh database per test, two ISPs that look alike.

TEST_DATABASE_URL names the cluster (a role that may create databases and roles), else PG_BINDIR, the wheel or Debian's
programs run one. Without any, the tests that need it are skipped with the reason.
"""

import os
import secrets
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
import pytest

from radiuscore.aaa.names import username_key
from radiuscore.store.embedded import OWNER, EmbeddedPostgres, NoPostgres
from radiuscore.store.migrate import migrate
from radiuscore.store.pool import ISP_ROLE, SYSTEM_ROLE, connect
from radiuscore.store.sealing import Keyring

Db: TypeAlias = "asyncpg.Connection[Any]"
TEMPLATE = f"radiuscore_template_{os.getpid()}"


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL of the test run: ``admin`` may create databases, ``dsn(name)`` is the owner's in one of them."""

    admin: str
    dsn: Callable[[str], str]
    owner: str


@dataclass(frozen=True)
class Tenant:
    """One ISP with a device, a plan and a customer; both tenants have equal names, addresses and usernames."""

    isp_id: int
    device_id: int
    plan_id: int
    customer_id: int
    device_ip: str = "192.168.88.1"
    username: str = "customer@example.com"
    password: bytes = b"password123"
    secret: bytes = b""


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Cluster]:
    """A PostgreSQL server for the whole run."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        parts = urlsplit(url)
        yield Cluster(url, lambda name: parts._replace(path=f"/{name}").geturl(), parts.username or "")
        return
    # Not tmp_path: for root the database runs as another user, who could not enter that.
    home = Path("/tmp", f"radiuscore-test-{secrets.token_hex(6)}")
    try:
        async with EmbeddedPostgres(home, ephemeral=True) as server:
            yield Cluster(server.dsn("postgres", user="postgres"), server.dsn, OWNER)
    except NoPostgres as error:
        pytest.skip(str(error))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
async def admin(postgres: Cluster) -> AsyncIterator[Db]:
    """A connection that makes and drops databases."""
    connection = await asyncpg.connect(postgres.admin)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture(scope="session")
async def template(postgres: Cluster, admin: Db) -> AsyncIterator[str]:
    """The name of a migrated database that is copied for each test."""
    await admin.execute(f"CREATE DATABASE {TEMPLATE} OWNER {postgres.owner}")
    await migrate(postgres.dsn(TEMPLATE), schema="control")
    await migrate(postgres.dsn(TEMPLATE), schema="accounting")
    yield TEMPLATE
    await admin.execute(f"DROP DATABASE {TEMPLATE} WITH (FORCE)")


@pytest.fixture
async def empty_database(postgres: Cluster, admin: Db) -> AsyncIterator[str]:
    """The owner's connection string of a new database without any schema."""
    async for dsn in _new_database(postgres, admin, "template1"):
        yield dsn


@pytest.fixture
async def database(postgres: Cluster, admin: Db, template: str) -> AsyncIterator[str]:
    """The owner's connection string of a new migrated database, dropped after the test."""
    async for dsn in _new_database(postgres, admin, template):
        yield dsn


async def _new_database(postgres: Cluster, admin: Db, template: str) -> AsyncIterator[str]:
    name = f"radiuscore_test_{secrets.token_hex(6)}"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY OWNER {postgres.owner}")
    yield postgres.dsn(name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def db(database: str) -> AsyncIterator[Db]:
    """A connection as the owner of the schemas."""
    connection = await connect(database)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture
async def system_db(database: str) -> AsyncIterator[Db]:
    """A connection as workers and jobs have it."""
    connection = await connect(database, role=SYSTEM_ROLE)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture
async def isp_db(database: str) -> AsyncIterator[Db]:
    """A connection as one ISP's requests have it; no tenant is set."""
    connection = await connect(database, role=ISP_ROLE)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture(scope="session")
def encryption_keys() -> str:
    """Two keys as the setting ENCRYPTION_KEYS has them; the first one seals."""
    return ",".join(f"test{n}:{b64encode(secrets.token_bytes(32)).decode()}" for n in (2, 1))


@pytest.fixture(scope="session")
def keyring(encryption_keys: str) -> Keyring:
    """A key ring of two keys; the first one seals."""
    return Keyring.parse(encryption_keys)


@pytest.fixture
def insert_tenant(keyring: Keyring) -> Callable[..., Awaitable[Tenant]]:
    """A function that inserts an ISP with a device, a plan and a customer, over a connection of owner or system."""

    async def insert(
        db: Db,
        *,
        name: str = "Test ISP",
        secret: bytes = b"s3cret",
        device_ip: str = "192.168.88.1",
        username: str = "customer@example.com",
        password: bytes = b"password123",
    ) -> Tenant:
        isp_id = await db.fetchval(
            "INSERT INTO control.isps (name, company_name, email, api_key) VALUES ($1, $1, $2, $3) RETURNING id",
            name,
            f"{secrets.token_hex(6)}@example.com",
            secrets.token_hex(32),
        )
        device_id = await db.fetchval("SELECT nextval('control.devices_id_seq')")
        await db.execute(
            """
            INSERT INTO control.devices (id, isp_id, device_name, device_ip, radius_secret)
            VALUES ($1, $2, 'Main Router', $3, $4)
            """,
            device_id,
            isp_id,
            device_ip,
            keyring.seal(secret, table="devices", row=device_id, column="radius_secret", isp_id=isp_id),
        )
        plan_id = await db.fetchval(
            """
            INSERT INTO control.service_plans (isp_id, name, download_bps, upload_bps)
            VALUES ($1, 'Home 50', 50000000, 10000000) RETURNING id
            """,
            isp_id,
        )
        customer_id = await db.fetchval("SELECT nextval('control.customers_id_seq')")
        await db.execute(
            """
            INSERT INTO control.customers (id, isp_id, username, username_key, password, service_plan_id)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            customer_id,
            isp_id,
            username,
            username_key(username),
            keyring.seal(password, table="customers", row=customer_id, column="password", isp_id=isp_id),
            plan_id,
        )
        return Tenant(isp_id, device_id, plan_id, customer_id, device_ip, username, password, secret)

    return insert


@pytest.fixture
async def tenants(db: Db, insert_tenant: Callable[..., Awaitable[Tenant]]) -> tuple[Tenant, Tenant]:
    """Two ISPs that differ in nothing but their ids and their devices' secrets."""
    return await insert_tenant(db, secret=b"secret of A"), await insert_tenant(db, secret=b"secret of B")
