"""Claims of logins, short to write, and several connections to race them over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address
from time import time
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID, uuid4

from radiuscore.aaa.claims import Claim
from radiuscore.aaa.pools import NO_POOLS, AddressPool
from radiuscore.store.pool import SYSTEM_ROLE, connect
from radiuscore.store.slots import Ended, Sign

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tests.conftest import Db

T = TypeVar("T")

CUSTOMER: Final = 7
NAS: Final = 1
HOMES: Final = AddressPool(1, 1, "homes", 32, ((IPv4Address("10.0.0.2"), IPv4Address("10.0.0.5")),))
PREFIXES: Final = AddressPool(
    2, 1, "prefixes", 56, ((IPv6Address("2001:db8::"), IPv6Address("2001:db8:0:3ff:ffff:ffff:ffff:ffff")),)
)


def claim(mac: int | None = None, **others: Any) -> Claim:
    """Return the claim of one login, from a device of its own unless it is told."""
    session = uuid4()
    fields: dict[str, Any] = {
        "isp_id": 1,
        "customer_id": CUSTOMER,
        "nas_id": NAS,
        "session_uuid": session.bytes,
        "acct_session_id": session.hex[:8],
        "mac": None if mac is None else mac.to_bytes(6, "big").hex(":"),
        "limit": 1,
        "pools": NO_POOLS,
        "held_s": 900.0,
    } | others
    return Claim(**fields)


def sign(of: Claim, seconds: float = 900.0, **others: Any) -> Sign:
    """Return a report of a claim's session, which keeps what it holds for so long from now."""
    told = Sign(
        of.isp_id, of.customer_id, UUID(bytes=of.session_uuid), of.nas_id, of.acct_session_id or "", of.mac,
        time() + seconds,
    )  # fmt: skip
    return told._replace(**others)


def ended(of: Claim) -> Ended:
    return Ended(of.isp_id, of.customer_id, UUID(bytes=of.session_uuid))


@asynccontextmanager
async def connections(dsn: str, count: int = 2) -> AsyncIterator[list[Db]]:
    """Give connections as workers have them."""
    opened = [await connect(dsn, role=SYSTEM_ROLE) for _ in range(count)]
    try:
        yield opened
    finally:
        for db in opened:
            await db.close(timeout=5)


async def race(dbs: Sequence[Db], claims: Sequence[Claim], ask: Callable[[Db, Claim], Awaitable[T]]) -> list[T]:
    """Ask for all claims at once, spread over the connections, and return the answers in order."""
    idle: asyncio.Queue[Db] = asyncio.Queue()
    for db in dbs:
        idle.put_nowait(db)

    async def one(of: Claim) -> T:
        db = await idle.get()
        try:
            return await ask(db, of)
        finally:
            idle.put_nowait(db)

    return list(await asyncio.gather(*(one(of) for of in claims)))
