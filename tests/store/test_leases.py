"""Addresses of central pools: never one for two, the last one again, and back when the session is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from radiuscore.aaa.pools import AddressPool, LeasedAddress, WantedPools
from radiuscore.store.leases import AT_ONCE, LeaseBook, find_held, find_scarce, prolong, reclaim
from radiuscore.store.sessions import record
from radiuscore.store.snapshot import load_snapshot
from tests.store.claiming import CUSTOMER, HOMES, PREFIXES, claim, connections, ended, race, sign
from tests.store.reporting import start, stop

if TYPE_CHECKING:
    from radiuscore.aaa.claims import Claim
    from radiuscore.store.sealing import Keyring
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres

RACES = 25
LOGINS = 16


async def take(
    db: Db, of: Claim, pool: AddressPool = HOMES, fixed: Mapping[LeasedAddress, int] | None = None
) -> LeasedAddress | None:
    """Take an address as a process does that has just begun."""
    return await LeaseBook().lease(db, of, pool, fixed or {})


async def pass_time(db: Db, seconds: float) -> None:
    """Let time go by for all leases."""
    await db.execute(
        "UPDATE accounting.address_leases SET expires_at = expires_at - $1::float8 * interval '1 second'", seconds
    )


def one_address(of: AddressPool = HOMES) -> AddressPool:
    """Return a pool of the first address, or prefix, of another."""
    if of.version == 4:
        return replace(of, ranges=((IPv4Address("10.0.0.2"), IPv4Address("10.0.0.2")),))
    return replace(of, ranges=((IPv6Address("2001:db8::"), IPv6Address("2001:db8:0:ff:ffff:ffff:ffff:ffff")),))


# -- races -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [HOMES, PREFIXES], ids=["IPv4", "IPv6"])
async def test_a_race_gives_nobody_what_another_has(database: str, db: Db, pool: AddressPool) -> None:
    """16 customers at once for 4 addresses, over many connections and two processes that know nothing of each other."""
    books = [LeaseBook(), LeaseBook()]
    async with connections(database, LOGINS) as dbs:
        for round_ in range(RACES):
            logins = [claim(number, customer_id=100 * round_ + number) for number in range(LOGINS)]
            asked = await race(dbs, logins, partial(_lease_of_either, books, pool))
            given = [address for address in asked if address is not None]
            assert len(given) == len(set(given)) == pool.size == 4, f"round {round_}"
            await reclaim(db, [ended(of) for of in logins])


async def test_a_race_in_a_pool_that_is_new_leaves_nothing_over(database: str) -> None:
    """Whoever looked before the rows were made, and grew the pool after that, looks again."""
    books = [LeaseBook(), LeaseBook()]
    async with connections(database, LOGINS) as dbs:
        for isp_id in range(1, 2 * RACES):
            pool = replace(HOMES, id=isp_id, isp_id=isp_id)
            logins = [claim(number, isp_id=isp_id, customer_id=number) for number in range(LOGINS)]
            given = await race(dbs, logins, partial(_lease_of_either, books, pool))
            assert len(set(given) - {None}) == LOGINS - given.count(None) == pool.size, f"round {isp_id}"


async def test_a_race_of_one_device_with_itself_takes_one_address(database: str, db: Db) -> None:
    await take(db, claim(0xA))
    async with connections(database, LOGINS) as dbs:
        given = await race(dbs, [claim(0xA) for _ in range(LOGINS)], take)
    assert len(set(given)) == 1


async def test_a_large_pool_grows_by_what_it_needs(database: str, db: Db) -> None:
    large = replace(HOMES, ranges=((IPv4Address("10.0.0.0"), IPv4Address("10.255.255.255")),))
    book = LeaseBook()
    async with connections(database, 8) as dbs:
        logins = [claim(number, customer_id=number) for number in range(2 * AT_ONCE + 10)]
        given = await race(dbs, logins, partial(_lease_of, book, large))
    assert len(set(given)) == len(logins)
    assert None not in given
    assert await db.fetchval("SELECT count(*) FROM accounting.address_leases") <= 8 * AT_ONCE


async def _lease_of_either(books: list[LeaseBook], pool: AddressPool, db: Db, of: Claim) -> LeasedAddress | None:
    return await books[of.customer_id % 2].lease(db, of, pool, {})


async def _lease_of(book: LeaseBook, pool: AddressPool, db: Db, of: Claim) -> LeasedAddress | None:
    return await book.lease(db, of, pool, {})


# -- which address -----------------------------------------------------------------------------------------------------


async def test_a_customer_gets_his_last_address_again(system_db: Db) -> None:
    online = [claim(number, customer_id=number) for number in range(3)]
    given = [await take(system_db, of) for of in online]
    assert given == [IPv4Address("10.0.0.2"), IPv4Address("10.0.0.3"), IPv4Address("10.0.0.4")]
    await reclaim(system_db, [ended(of) for of in online])
    for number in (2, 0, 1):
        assert await take(system_db, claim(0xF0 + number, customer_id=number, nas_id=9)) == given[number]


async def test_the_address_that_has_been_free_for_longest_comes_first(system_db: Db) -> None:
    pool = replace(HOMES, ranges=((IPv4Address("10.0.0.2"), IPv4Address("10.0.0.3")),))
    first, second = claim(1, customer_id=1), claim(2, customer_id=2)
    addresses = [await take(system_db, of, pool) for of in (first, second)]
    for of in (second, first):
        await reclaim(system_db, [ended(of)])
    assert await take(system_db, claim(3, customer_id=3), pool) == addresses[1]


async def test_the_same_device_on_the_same_nas_keeps_its_address(system_db: Db) -> None:
    """A power cut: its session is not over for anybody but itself."""
    before, now = claim(0xA), claim(0xA)
    address = await take(system_db, before)
    assert await take(system_db, now) == address
    await reclaim(system_db, [ended(before)])  # the late Stop
    assert await take(system_db, claim(0xB, customer_id=8)) != address


async def test_a_second_session_of_a_customer_has_an_address_of_its_own(system_db: Db) -> None:
    given = [await take(system_db, of) for of in (claim(0xA), claim(0xB), claim(0xA, nas_id=2), claim())]
    assert len(set(given)) == 4
    assert await take(system_db, claim()) is None


async def test_every_address_of_every_range_is_given_and_no_other(system_db: Db) -> None:
    pool = replace(
        HOMES,
        ranges=(
            (IPv4Address("10.0.0.250"), IPv4Address("10.0.1.5")),
            (IPv4Address("10.9.9.9"), IPv4Address("10.9.9.9")),
        ),
    )
    given = [await take(system_db, claim(number, customer_id=number), pool) for number in range(14)]
    wanted = [IPv4Address("10.0.0.250") + number for number in range(12)] + [IPv4Address("10.9.9.9"), None]
    assert given == wanted


async def test_prefixes_are_given_like_addresses(system_db: Db) -> None:
    given = [await take(system_db, claim(number, customer_id=number), PREFIXES) for number in range(5)]
    wanted = ["2001:db8::/56", "2001:db8:0:100::/56", "2001:db8:0:200::/56", "2001:db8:0:300::/56"]
    assert given == [*map(IPv6Network, wanted), None]


async def test_an_address_that_is_a_customers_own_is_given_to_nobody(system_db: Db) -> None:
    own: dict[LeasedAddress, int] = {
        IPv4Address("10.0.0.2"): 1,
        IPv4Address("10.0.0.4"): 1,
        IPv4Address("192.0.2.1"): 1,
    }
    given = [await take(system_db, claim(number, customer_id=number), fixed=own) for number in range(3)]
    assert given == [IPv4Address("10.0.0.3"), IPv4Address("10.0.0.5"), None]
    await pass_time(system_db, 86_400)  # when it is nobody's own any more
    given = [await take(system_db, claim(number, customer_id=number)) for number in range(10, 14)]
    assert set(given) == {IPv4Address(f"10.0.0.{last}") for last in (2, 3, 4, 5)}


async def test_isps_with_the_same_addresses_customers_and_sessions_do_not_meet(system_db: Db) -> None:
    pools = one_address(), replace(one_address(), isp_id=2)
    mine = claim(0xA)
    other = mine._replace(isp_id=2)
    assert await take(system_db, mine, pools[0]) == await take(system_db, other, pools[1]) == IPv4Address("10.0.0.2")
    await reclaim(system_db, [ended(mine)])
    assert await take(system_db, claim(0xB, isp_id=2, customer_id=8), pools[1]) is None
    await pass_time(system_db, 600)
    await prolong(system_db, [sign(mine, framed_ip_address="10.0.0.2")])
    await pass_time(system_db, 600)
    assert await take(system_db, claim(0xB, isp_id=2, customer_id=8), pools[1]) is not None
    assert await take(system_db, claim(0xB, customer_id=8), pools[0]) is None


# -- time --------------------------------------------------------------------------------------------------------------


async def test_reports_keep_an_address_and_silence_frees_it(system_db: Db) -> None:
    online, waiting = claim(0xA), claim(0xB, customer_id=8)
    pool = one_address()
    assert await take(system_db, online, pool) is not None
    for _ in range(3):
        await pass_time(system_db, 600)
        await prolong(system_db, [sign(online)])
        assert await take(system_db, waiting, pool) is None
    await pass_time(system_db, 901)
    assert await take(system_db, waiting, pool) is not None


async def test_an_address_is_kept_by_who_uses_it_where_the_nas_returns_no_class(system_db: Db) -> None:
    online, used = claim(0xA), sign(claim(), framed_ip_address="10.0.0.2", delegated_ipv6_prefix="2001:db8::/56")
    pools = one_address(), one_address(PREFIXES)
    for pool in pools:
        await take(system_db, online, pool)
    await pass_time(system_db, 600)
    await prolong(system_db, [used])
    await pass_time(system_db, 600)
    for pool in pools:
        assert await take(system_db, claim(0xB, customer_id=8), pool) is None
    stranger = sign(claim(customer_id=9), framed_ip_address="10.0.0.2")  # who uses what he was not given
    await pass_time(system_db, 600)
    await prolong(system_db, [stranger])
    assert await take(system_db, claim(0xB, customer_id=8), pools[0]) is not None


async def test_the_address_of_a_session_that_is_open_is_not_free(db: Db, system_db: Db) -> None:
    """After an outage of ours every lease has run out, and nobody is offline for it."""
    online, pool = claim(0xA, acct_session_id="81000001"), one_address()
    await take(system_db, online, pool)
    reports = {"session_uuid": online.session_uuid, "customer_id": CUSTOMER}
    await record(system_db, [start(0, **reports)])
    await pass_time(system_db, 86_400)
    assert await take(system_db, claim(0xB, customer_id=8), pool) is None
    await record(system_db, [stop(60, 60, **reports)])
    assert await take(system_db, claim(0xB, customer_id=8), pool) is not None


async def test_what_is_still_held_is_told_and_what_was_lost_is_not(system_db: Db) -> None:
    kept, lost = claim(0xA), claim(0xB, customer_id=8)
    for of in (kept, lost):
        await take(system_db, of)
    await take(system_db, kept, PREFIXES)
    await reclaim(system_db, [ended(lost)])
    found = await find_held(system_db, [(ended(kept), 2), (ended(lost), 1)])
    assert found.keys() == {UUID(bytes=kept.session_uuid)}
    assert 890 < found[UUID(bytes=kept.session_uuid)] <= 900
    assert await find_held(system_db, [(ended(kept), 3)]) == {}


# -- pools that change -------------------------------------------------------------------------------------------------


async def test_a_pool_that_grows_downward_gives_its_new_addresses(system_db: Db) -> None:
    book = LeaseBook()
    for number in range(4):
        assert await book.lease(system_db, claim(number, customer_id=number), HOMES, {}) is not None
    assert await book.lease(system_db, claim(9, customer_id=9), HOMES, {}) is None
    larger = replace(HOMES, ranges=((IPv4Address("10.0.0.1"), IPv4Address("10.0.0.5")),))
    assert await book.lease(system_db, claim(9, customer_id=9), larger, {}) == IPv4Address("10.0.0.1")


async def test_ranges_that_are_joined_give_what_was_between_them(system_db: Db) -> None:
    book, apart = LeaseBook(), replace(HOMES, ranges=((IPv4Address("10.0.0.2"),) * 2, (IPv4Address("10.0.0.7"),) * 2))
    assert len({await book.lease(system_db, claim(n, customer_id=n), apart, {}) for n in range(2)}) == 2
    joined = replace(HOMES, ranges=((IPv4Address("10.0.0.1"), IPv4Address("10.0.0.8")),))
    given = {await book.lease(system_db, claim(n, customer_id=n), joined, {}) for n in range(8)}
    assert given == {IPv4Address(f"10.0.0.{last}") for last in range(1, 9)}
    assert await book.lease(system_db, claim(9, customer_id=9), joined, {}) is None


async def test_a_pool_that_shrinks_gives_only_what_it_has_left(system_db: Db) -> None:
    online = [claim(number, customer_id=number) for number in range(4)]
    for of in online:
        await take(system_db, of)
    await reclaim(system_db, [ended(of) for of in online])
    smaller = one_address()
    assert await take(system_db, claim(8, customer_id=3), smaller) == IPv4Address("10.0.0.2")
    assert await take(system_db, claim(9, customer_id=9), smaller) is None


async def test_an_address_that_moves_to_another_pool_stays_with_who_has_it(system_db: Db) -> None:
    online = claim(0xA)
    assert await take(system_db, online, one_address()) == IPv4Address("10.0.0.2")
    moved = replace(HOMES, id=3, name="moved")
    given = [await take(system_db, claim(number, customer_id=100 + number), moved) for number in range(4)]
    assert given == [IPv4Address(f"10.0.0.{last}") for last in (3, 4, 5)] + [None]
    await reclaim(system_db, [ended(online)])
    assert await take(system_db, claim(9, customer_id=109), moved) == IPv4Address("10.0.0.2")


async def test_ninety_percent_is_an_alarm(system_db: Db) -> None:
    pool = replace(HOMES, ranges=((IPv4Address("10.0.0.1"), IPv4Address("10.0.0.10")),))
    other = replace(pool, isp_id=2)
    for number in range(8):
        await take(system_db, claim(number, customer_id=number), pool)
    assert await find_scarce(system_db, [pool, other]) == []
    await take(system_db, claim(8, customer_id=8), pool)
    [scarce] = await find_scarce(system_db, [pool, other])
    assert (scarce.pool, scarce.leased) == (pool, 9)


async def test_a_claim_of_three_kinds_gets_all_or_is_told_which_pool_is_empty(system_db: Db) -> None:
    range_of_one = IPv6Address("2001:db8:1::"), IPv6Address("2001:db8:1:3f:ffff:ffff:ffff:ffff")
    delegated = AddressPool(4, 1, "delegated", 58, (range_of_one,))
    pools = WantedPools(HOMES, PREFIXES, delegated)
    exhausted, given = await LeaseBook().lease_all(system_db, claim(0xA, pools=pools), {})
    assert exhausted is None
    assert tuple(given) == (
        IPv4Address("10.0.0.2"), IPv6Network("2001:db8::/56"), IPv6Network("2001:db8:1::/58"),
    )  # fmt: skip
    exhausted, _ = await LeaseBook().lease_all(system_db, claim(0xB, customer_id=8, pools=pools), {})
    assert exhausted == delegated


# -- what the control database says of them ----------------------------------------------------------------------------

ADD_POOL = """
INSERT INTO control.address_pools (isp_id, name, prefix_length, ranges)
VALUES ($1, $2, $3, $4::text::control.inetmultirange)
"""


async def test_pools_are_read_with_the_configuration(db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring) -> None:
    for tenant in tenants:
        await db.execute(ADD_POOL, tenant.isp_id, "homes", 32, "{[10.0.1.2,10.0.1.9],[10.0.0.2,10.0.0.9]}")
    await db.execute(ADD_POOL, tenants[0].isp_id, "prefixes", 56, "{[2001:db8::,2001:db8:0:3ff:ffff:ffff:ffff:ffff]}")
    mine, prefixes = [pool for pool in (await load_snapshot(db, keyring)).pools if pool.isp_id == tenants[0].isp_id]
    assert (mine.name, mine.prefix_length, mine.size, mine.version) == ("homes", 32, 16, 4)
    assert mine.ranges[0] == (IPv4Address("10.0.0.2"), IPv4Address("10.0.0.9"))
    assert (prefixes.ranges, prefixes.size, prefixes.version) == (PREFIXES.ranges, 4, 6)


@pytest.mark.parametrize(
    ("prefix_length", "ranges"),
    [
        (32, "{}"),
        (32, "{[10.0.0.2,10.0.0.9)}"),
        (32, "{[10.0.0.2,]}"),
        (32, "{[10.0.0.2/24,10.0.0.9/24]}"),
        (32, "{[2001:db8::,2001:db8::9]}"),
        (32, "{[10.0.0.2,2001:db8::9]}"),
        (56, "{[10.0.0.2,10.0.0.9]}"),
        (56, "{[2001:db8::,2001:db8:0:ff::]}"),
        (56, "{[2001:db8::1,2001:db8:0:ff:ffff:ffff:ffff:ffff]}"),
        (31, "{[10.0.0.2,10.0.0.9]}"),
    ],
)
async def test_a_pool_that_could_not_be_given_is_refused(
    db: Db, tenants: tuple[Tenant, Tenant], prefix_length: int, ranges: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(ADD_POOL, tenants[0].isp_id, "homes", prefix_length, ranges)


async def test_an_address_is_in_one_pool_of_an_isp(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    await db.execute(ADD_POOL, tenants[0].isp_id, "homes", 32, "{[10.0.0.2,10.0.0.9]}")
    await db.execute(ADD_POOL, tenants[1].isp_id, "homes", 32, "{[10.0.0.2,10.0.0.9]}")
    with pytest.raises(asyncpg.ExclusionViolationError):
        await db.execute(ADD_POOL, tenants[0].isp_id, "other", 32, "{[10.0.0.9,10.0.0.20]}")
    await db.execute(ADD_POOL, tenants[0].isp_id, "other", 32, "{[10.0.0.10,10.0.0.20]}")
