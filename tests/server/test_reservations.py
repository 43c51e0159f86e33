"""Slots and addresses while the database is there, away, and back; and what accounting makes of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import IPv4Address
from time import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.changes import Snapshot
from radiuscore.aaa.claims import Claim
from radiuscore.aaa.decisions import RejectReason
from radiuscore.aaa.pools import NO_LEASES, Leases, WantedPools
from radiuscore.aaa.records import Customer, Isp, ServicePlan, SimultaneousUseMode
from radiuscore.server.holdings import Holdings
from radiuscore.server.ledger import DatabaseLedger
from radiuscore.server.link import DatabaseLink
from radiuscore.server.reservations import PAUSE_S, Reservations
from radiuscore.state.replica import Replica
from radiuscore.store.pool import SYSTEM_ROLE, DirectConnection, connect
from radiuscore.store.reports import Outcome, Recorded, session_key
from tests.conftest import Db
from tests.store.claiming import CUSTOMER, HOMES, PREFIXES, claim
from tests.store.reporting import ON, interim, start, stop

pytestmark = pytest.mark.postgres

POOLED = WantedPools(framed_ip_address=HOMES)
STRICT = ServicePlan(
    5, 1, "strict", framed_pool="homes", simultaneous_use=1, simultaneous_use_mode=SimultaneousUseMode.STRICT
)


class Database:
    """The way to the database, which a test may cut."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.away = False
        self.attempts = 0

    async def connect(self) -> DirectConnection:
        self.attempts += 1
        if self.away:
            await asyncio.sleep(0.02)
            raise ConnectionRefusedError("cut")
        return await connect(self._dsn, role=SYSTEM_ROLE, command_timeout=None)


@pytest.fixture
def way(database: str) -> Database:
    return Database(database)


@pytest.fixture
def replica() -> Replica:
    replica = Replica()
    people = [Customer(CUSTOMER, isp_id, "Anna", "anna", b"", plan_id=5) for isp_id in (1, 2)]
    plans = [STRICT, ServicePlan(5, 2, "soft", framed_pool="homes", simultaneous_use=1)]
    replica.load(Snapshot([Isp(1, "one"), Isp(2, "two")], [], plans, people, [HOMES]))
    return replica


@pytest.fixture
async def reservations(way: Database, replica: Replica) -> AsyncIterator[Reservations]:
    reservations = Reservations([DatabaseLink(way.connect, "reservations") for _ in range(2)], replica)
    yield reservations
    await reservations.close()


@pytest.fixture
async def ledger(way: Database, replica: Replica) -> AsyncIterator[DatabaseLedger]:
    link = DatabaseLink(way.connect, "accounting")
    yield DatabaseLedger(link, "here", Holdings(replica))
    await link.close()


async def cut(way: Database, reservations: Reservations) -> None:
    """Take the database away."""
    way.away = True
    await reservations.close()


# -- with the database -------------------------------------------------------------------------------------------------


async def test_many_at_once_share_few_connections(reservations: Reservations, way: Database) -> None:
    claimed = await asyncio.gather(*(reservations(claim(number)) for number in range(50)))
    assert claimed.count(NO_LEASES) == 1
    assert claimed.count(RejectReason.TOO_MANY_SESSIONS) == 49
    assert (reservations.reserved, reservations.refused, reservations.unguarded) == (1, 49, 0)
    assert way.attempts == 2


async def test_who_gets_no_address_gives_back_his_slot_and_his_other_address(
    reservations: Reservations, db: Db
) -> None:
    pools = WantedPools(framed_ip_address=HOMES, delegated_ipv6_prefix=replace(PREFIXES, ranges=PREFIXES.ranges[:1]))
    for number in range(4):
        assert isinstance(await reservations(claim(number, customer_id=number, pools=pools)), Leases)
    assert await reservations(claim(9, customer_id=9, pools=pools)) is RejectReason.POOL_EXHAUSTED
    assert await db.fetchval("SELECT count(*) FROM accounting.simultaneous_use_slots WHERE customer_id = 9") == 0
    assert reservations.refused == 1


async def test_an_address_of_a_customers_own_is_given_to_nobody(reservations: Reservations, replica: Replica) -> None:
    isp = replica.find_isp(1)
    assert isp is not None
    isp.fixed[IPv4Address("10.0.0.2")] += 1
    claimed = await reservations(claim(1, limit=None, pools=POOLED))
    assert claimed == Leases(IPv4Address("10.0.0.3"))


# -- without it --------------------------------------------------------------------------------------------------------


async def test_without_the_database_a_strict_limit_is_soft(reservations: Reservations, way: Database) -> None:
    assert await reservations(claim(1)) == NO_LEASES
    await cut(way, reservations)
    assert [await reservations(claim(number)) for number in range(5)] == [NO_LEASES] * 5
    assert (reservations.reserved, reservations.unguarded) == (1, 5)
    assert way.attempts == 2, "only one login has waited"
    await asyncio.sleep(PAUSE_S)
    assert await asyncio.gather(*(reservations(claim(number)) for number in range(5))) == [NO_LEASES] * 5
    assert way.attempts == 3, "and one again after a while"

    way.away = False
    await asyncio.sleep(PAUSE_S)
    assert await reservations(claim(9)) is RejectReason.TOO_MANY_SESSIONS
    assert reservations.refused == 1


async def test_without_the_database_a_device_keeps_its_address_and_others_are_not_answered(
    reservations: Reservations, way: Database
) -> None:
    given = await reservations(claim(0xA, limit=None, pools=POOLED))
    assert given == Leases(IPv4Address("10.0.0.2"))
    await cut(way, reservations)
    same = claim(0xA, limit=None, pools=POOLED)
    assert await reservations(same) == given
    for stranger in (
        claim(0xB, limit=None, pools=POOLED),
        same._replace(customer_id=8),
        same._replace(isp_id=2),
        same._replace(nas_id=2),
        same._replace(mac=None),
        same._replace(pools=WantedPools(framed_ip_address=replace(HOMES, id=9))),
    ):
        assert await reservations(stranger) is None
    assert (reservations.unguarded, reservations.unanswered) == (1, 6)


async def test_what_is_remembered_ends_with_the_lease(reservations: Reservations, way: Database) -> None:
    short = claim(0xA, limit=None, pools=POOLED, held_s=0.05)
    assert await reservations(short) is not None
    await cut(way, reservations)
    await asyncio.sleep(0.06)
    assert await reservations(short) is None


async def test_what_is_remembered_is_confirmed_and_what_was_lost_is_forgotten(
    reservations: Reservations, way: Database, db: Db
) -> None:
    kept, lost = (claim(mac, limit=None, pools=POOLED, customer_id=mac, held_s=0.2) for mac in (1, 2))
    given = await reservations(kept)
    await reservations(lost)
    await db.execute("UPDATE accounting.address_leases SET expires_at = now() + interval '1 hour'")
    await db.execute("UPDATE accounting.address_leases SET customer_id = 99 WHERE customer_id = 2")
    await reservations.confirm()
    await cut(way, reservations)
    await asyncio.sleep(0.2)
    assert await reservations(kept) == given
    assert await reservations(lost) is None


# -- accounting --------------------------------------------------------------------------------------------------------


def of(session: Claim, event: Callable[..., AccountingEvent], *args: Any, **more: Any) -> AccountingEvent:
    """Return a report of a claim's session, sent now."""
    fields: dict[str, Any] = {
        "isp_id": session.isp_id,
        "session_uuid": session.session_uuid,
        "acct_session_id": session.acct_session_id,
        "calling_station_id": session.mac,
    } | more
    return event(*args, **fields)._replace(received_at=time())


async def held(db: Db, session: Claim) -> tuple[float, float]:
    """Return for how many seconds a session holds its slot and its address; 0 for not at all."""
    left = "SELECT coalesce(max(extract(epoch FROM expires_at - now())), 0)::float8 FROM accounting."
    where = " WHERE session_id = $1 AND isp_id = $2 AND expires_at > now()"
    args = UUID(bytes=session.session_uuid), session.isp_id
    slot = await db.fetchval(left + "simultaneous_use_slots" + where, *args)
    address = await db.fetchval(left + "address_leases" + where, *args)
    return slot, address


async def test_reports_keep_what_a_session_holds_and_its_stop_gives_it_back(
    reservations: Reservations, ledger: DatabaseLedger, db: Db
) -> None:
    session = claim(0xA, pools=POOLED, held_s=100.0)
    await reservations(session)
    slot, address = await held(db, session)
    assert 50 < slot <= 60
    assert 90 < address <= 100
    for report in (of(session, start, 0), of(session, interim, 300, 300)):
        await db.execute("UPDATE accounting.simultaneous_use_slots SET expires_at = now() + interval '1 second'")
        await db.execute("UPDATE accounting.address_leases SET expires_at = now() + interval '1 second'")
        await ledger.append([report])
        assert all(890 < seconds <= 900 for seconds in await held(db, session))
        await ledger.append([report])  # once more: nothing to say, and nothing breaks
    await ledger.append([of(session, stop, 310, 310)])
    assert await held(db, session) == (0, 0)
    await ledger.append([of(session, interim, 305, 305)])  # overtaken by the Stop
    assert await held(db, session) == (0, 0)


async def test_a_restart_of_the_nas_gives_back_its_own_and_no_other_isps(
    reservations: Reservations, ledger: DatabaseLedger, db: Db, replica: Replica
) -> None:
    isp = replica.find_isp(2)
    assert isp is not None
    isp.set_plan(replace(STRICT, isp_id=2))
    isp.set_pool(1, replace(HOMES, isp_id=2))
    mine = claim(0xA, pools=POOLED)
    other = mine._replace(isp_id=2, pools=WantedPools(framed_ip_address=replace(HOMES, isp_id=2)))
    for session in (mine, other):
        await reservations(session)
    await ledger.append([of(session, start, 0) for session in (mine, other)])
    restart = of(mine, start, 0)._replace(status=ON, acct_session_id="", username="", username_key="")
    await ledger.append([restart._replace(received_at=time() + 1)])
    assert await held(db, mine) == (0, 0)
    assert min(await held(db, other)) > 0


async def test_the_reboot_digit_gives_back_what_the_router_had(
    reservations: Reservations, ledger: DatabaseLedger, db: Db
) -> None:
    before = claim(0xA, acct_session_id="81000001", pools=POOLED)
    await reservations(before)
    await ledger.append([of(before, start, 0)])
    after = claim(0xB, acct_session_id="81100001", customer_id=8)
    await ledger.append([of(after, start, 0, username_key="berta", customer_id=8)._replace(received_at=time() + 1)])
    assert await held(db, before) == (0, 0)


async def test_a_session_that_began_without_the_database_is_counted_once_it_reports(
    reservations: Reservations, ledger: DatabaseLedger, way: Database
) -> None:
    await cut(way, reservations)
    unguarded = claim(0xA)
    assert await reservations(unguarded) == NO_LEASES
    way.away = False
    await ledger.append([of(unguarded, interim, 10, 10)])
    await asyncio.sleep(PAUSE_S)
    assert await reservations(claim(0xB)) is RejectReason.TOO_MANY_SESSIONS


async def test_customers_who_hold_nothing_cost_no_statement(replica: Replica) -> None:
    async def fail(*_: object) -> None:
        raise AssertionError("a statement for somebody who holds nothing")

    class Watched:
        execute = fetch = fetchval = fetchrow = staticmethod(fail)

    db: Any = Watched()
    sessions = [
        of(claim(1, isp_id=2), start, 0),
        of(claim(2, isp_id=3), start, 0),
        of(claim(3), start, 0, username_key="nobody", customer_id=None),
    ]
    for state in ("open", "closed"):
        results = [
            Recorded(session_key(one), Outcome.APPLIED, uuid4(), one.customer_id, state=state, closed=state == "closed")
            for one in sessions
        ]
        await Holdings(replica).follow(db, sessions, results)
    strict = of(claim(4), start, 0)
    result = Recorded(session_key(strict), Outcome.APPLIED, uuid4(), CUSTOMER, state="open")
    with pytest.raises(AssertionError):
        await Holdings(replica).follow(db, [strict], [result])
