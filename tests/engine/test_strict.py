"""Who waits before his Accept, for what, and what he is told; everybody else is answered at once."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from radiuscore.aaa.changes import CustomerChange, PlanChange, PoolChange, Snapshot
from radiuscore.aaa.claims import Claim, Claimed
from radiuscore.aaa.decisions import RejectReason
from radiuscore.aaa.pools import NO_LEASES, NO_POOLS, AddressPool, Leases, WantedPools
from radiuscore.aaa.records import (
    Customer,
    CustomerExtras,
    CustomerStatus,
    ExpiredAction,
    Isp,
    ServicePlan,
    SimultaneousUseMode,
)
from radiuscore.engine.engine import Engine
from radiuscore.engine.exchange import Pending
from radiuscore.engine.policy_replica import Login
from radiuscore.engine.policy_reserving import ReservingPolicy
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.wire.errors import Discard
from tests.protocol.asks import pap
from tests.protocol.bench import HERE, ONE, PLANS, ROUTERS, TWO, Bench, customer, octets_of
from tests.protocol.oracle import ACCESS_ACCEPT, ACCESS_REJECT, Reply, attribute, read_reply

FRAMED_IP_ADDRESS, CLASS, FRAMED_POOL, FRAMED_IPV6_PREFIX, DELEGATED = 8, 25, 88, 97, 123
MAC = "02:00:5E:00:00:01"

STRICT = replace(PLANS[0], simultaneous_use=1, simultaneous_use_mode=SimultaneousUseMode.STRICT)
HOMES = AddressPool(1, 1, "homes", 32, ((IPv4Address("10.5.0.2"), IPv4Address("10.5.0.9")),))
WALLED = AddressPool(2, 1, "walled", 32, ((IPv4Address("10.6.0.2"), IPv4Address("10.6.0.9")),))
PREFIXES = AddressPool(
    3, 1, "prefixes", 56, ((IPv6Address("2001:db8::"), IPv6Address("2001:db8:0:3ff:ffff:ffff:ffff:ffff")),)
)


class Reserving(Bench):
    """A bench whose policy reserves; ``answer`` is what every claim gets."""

    def __init__(
        self,
        plan: ServicePlan = STRICT,
        customers: Iterable[Customer] | None = None,
        pools: Iterable[AddressPool] = (),
    ) -> None:
        super().__init__(customers=customers)
        self.claims: list[Claim] = []
        self.answer: Claimed = NO_LEASES
        given = list(customers) if customers is not None else [customer("anna", isp_id) for isp_id in (1, 2)]
        self.replica = Replica()
        self.replica.load(Snapshot([Isp(1, "one"), Isp(2, "two")], [], [plan, PLANS[1]], given, list(pools)))
        self.told: list[Login] = []
        policy = ReservingPolicy(self.replica, self.told.append, self.recorded, self._reserve)
        self.engine = Engine(NasTable(ROUTERS), access=policy.admit, accounting=policy.accounting)

    async def _reserve(self, claim: Claim) -> Claimed:
        self.claims.append(claim)
        return self.answer

    async def waited(self, ask: bytes, source: str = "10.0.0.1") -> bytes | Discard:
        """Return what becomes of a login that must wait."""
        outcome = self.engine.auth.handle(ask, octets_of(source, 40001), IPv4Address(HERE).packed, self.now)
        assert isinstance(outcome, Pending)
        return await outcome

    async def admitted(self, ask: bytes) -> Reply:
        reply = await self.waited(ask)
        assert isinstance(reply, bytes)
        return read_reply(reply, ask, ONE)


def from_device(identifier: int = 7, username: str = "anna", password: str = "arctangent") -> bytes:
    """Return a login from a device with a MAC address."""
    return pap(username, password, attribute(31, MAC), attribute(44, "81000001"), identifier=identifier)


# -- who waits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "extras"),
    [
        (PLANS[0], None),
        (replace(PLANS[0], simultaneous_use=1), None),
        (PLANS[0], CustomerExtras(simultaneous_use=1)),
        (replace(STRICT, simultaneous_use=None), None),
        (replace(PLANS[0], framed_pool="on the router"), None),
        (replace(PLANS[0], framed_pool="homes"), CustomerExtras(framed_ip_address=IPv4Address("192.0.2.1"))),
        (replace(PLANS[0], framed_pool="prefixes", delegated_ipv6_pool="homes"), None),
    ],
    ids=["plain", "soft", "soft of his own", "strict without a limit", "router's pool", "own address", "wrong family"],
)
async def test_who_needs_nothing_is_answered_at_once_and_makes_no_task(
    plan: ServicePlan, extras: CustomerExtras | None
) -> None:
    bench = Reserving(plan, [customer("anna", extras=extras)], [HOMES, PREFIXES])
    before = len(asyncio.all_tasks())
    assert bench.login(from_device()).code == ACCESS_ACCEPT
    assert (bench.claims, len(asyncio.all_tasks())) == ([], before)


async def test_only_who_may_come_in_claims_anything() -> None:
    bench = Reserving()
    assert bench.login(from_device(1, password="wrong")).code == ACCESS_REJECT
    assert bench.login(from_device(2, username="nobody")).code == ACCESS_REJECT
    assert bench.login(pap(secret=TWO, password="logarithm"), "10.0.0.2", TWO).code == ACCESS_ACCEPT
    assert bench.claims == []


async def test_the_claim_says_who_where_with_which_device_and_how_long() -> None:
    bench = Reserving(replace(STRICT, interim_interval_s=600))
    reply = await bench.admitted(from_device())
    [claim] = bench.claims
    assert (claim.isp_id, claim.customer_id, claim.nas_id) == (1, 101, 11)
    assert (claim.mac, claim.acct_session_id) == (MAC.lower(), "81000001")
    assert (claim.limit, claim.pools) == (1, NO_POOLS)
    assert 3 * 540 <= claim.held_s <= 3 * 660
    assert reply.all(CLASS) == [claim.session_uuid]


@pytest.mark.parametrize(("own", "limit"), [(None, 1), (5, 5)])
async def test_a_customers_own_limit_goes_before_the_plans(own: int | None, limit: int) -> None:
    bench = Reserving(customers=[customer("anna", extras=CustomerExtras(simultaneous_use=own))])
    await bench.admitted(from_device())
    assert bench.claims[0].limit == limit


async def test_an_address_that_is_no_mac_address_is_no_device() -> None:
    """Behind one NAT address are many L2TP clients."""
    bench = Reserving()
    await bench.admitted(pap("anna", "arctangent", attribute(31, "203.0.113.7")))
    assert bench.claims[0].mac is None


# -- what he is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [RejectReason.TOO_MANY_SESSIONS, RejectReason.POOL_EXHAUSTED])
async def test_who_gets_nothing_is_rejected_with_the_reason(reason: RejectReason) -> None:
    bench = Reserving()
    bench.answer = reason
    reply = await bench.admitted(from_device())
    assert reply.code == ACCESS_REJECT
    assert reply.all(18)
    assert [(login.reason, login.session_uuid) for login in bench.told] == [(reason, None)]
    assert bench.engine.auth.counters.rejects[reason] == 1


async def test_who_cannot_be_told_is_not_answered_and_may_ask_again() -> None:
    bench = Reserving()
    bench.answer = None
    assert await bench.waited(from_device()) is Discard.NOT_HANDLED
    assert bench.told == []
    bench.answer = NO_LEASES
    assert (await bench.admitted(from_device())).code == ACCESS_ACCEPT


async def test_a_retransmission_while_it_waits_claims_nothing_and_afterwards_gets_the_same_octets() -> None:
    bench = Reserving()
    ask = from_device()
    waiting = bench.auth(ask)
    assert bench.auth(ask) is Discard.DUPLICATE_IN_FLIGHT
    assert isinstance(waiting, Pending)
    reply = await waiting
    assert bench.auth(ask) == reply
    assert len(bench.claims) == 1


async def test_an_accept_is_logged_once_it_is_one() -> None:
    bench = Reserving()
    waiting = bench.auth(from_device())
    assert bench.told == []
    assert isinstance(waiting, Pending)
    await waiting
    assert [(login.reason, login.session_uuid) for login in bench.told] == [("", bench.claims[0].session_uuid)]


# -- addresses ---------------------------------------------------------------------------------------------------------

POOLED = replace(
    PLANS[0], framed_pool="homes", framed_ipv6_pool="on the router", delegated_ipv6_pool="prefixes",
    walled_garden_pool="walled", expired_action=ExpiredAction.WALLED_GARDEN,
)  # fmt: skip
GIVEN = Leases(IPv4Address("10.5.0.7"), None, IPv6Network("2001:db8:0:100::/56"))


async def test_what_is_leased_is_sent_and_the_pools_name_is_not() -> None:
    bench = Reserving(POOLED, pools=[HOMES, PREFIXES, WALLED])
    bench.answer = GIVEN
    reply = await bench.admitted(from_device())
    assert bench.claims[0].pools == WantedPools(HOMES, None, PREFIXES)
    assert bench.claims[0].limit is None
    assert reply.all(FRAMED_IP_ADDRESS) == [bytes((10, 5, 0, 7))]
    assert reply.all(DELEGATED) == [bytes.fromhex("0038 20010db8000001")]
    assert (reply.all(FRAMED_POOL), reply.all(FRAMED_IPV6_PREFIX)) == ([], [])
    assert reply.all(100) == [b"on the router"]


async def test_the_walled_garden_may_have_a_pool_of_its_own() -> None:
    bench = Reserving(POOLED, [customer("anna", status=CustomerStatus.UNPAID)], [HOMES, PREFIXES, WALLED])
    await bench.admitted(from_device())
    assert bench.claims[0].pools == WantedPools(WALLED, None, PREFIXES)


async def test_an_own_address_is_kept_while_the_prefix_is_leased() -> None:
    own = CustomerExtras(framed_ip_address=IPv4Address("192.0.2.1"))
    bench = Reserving(POOLED, [customer("anna", extras=own)], [HOMES, PREFIXES])
    bench.answer = Leases(delegated_ipv6_prefix=GIVEN.delegated_ipv6_prefix)
    reply = await bench.admitted(from_device())
    assert bench.claims[0].pools == WantedPools(None, None, PREFIXES)
    assert reply.all(FRAMED_IP_ADDRESS) == [bytes((192, 0, 2, 1))]


async def test_a_pool_becomes_central_and_a_plan_strict_while_the_server_runs() -> None:
    bench = Reserving(PLANS[0])
    bench.replica.apply(PlanChange(1, 5, POOLED))
    assert bench.login(from_device(1)).all(FRAMED_POOL) == [b"homes"]
    bench.replica.apply(PoolChange(1, 1, HOMES))
    bench.replica.apply(PoolChange(2, 3, replace(PREFIXES, isp_id=2)))  # of the same name, and another ISP's
    bench.answer = Leases(GIVEN.framed_ip_address)
    assert (await bench.admitted(from_device(2))).all(FRAMED_POOL) == []
    assert bench.claims[0].pools == WantedPools(HOMES, None, None)
    bench.replica.apply(PoolChange(1, 1, replace(HOMES, name="renamed")))
    assert bench.login(from_device(3)).all(FRAMED_POOL) == [b"homes"]
    bench.replica.apply(PlanChange(1, 5, replace(POOLED, framed_pool="renamed")))
    assert (await bench.admitted(from_device(4))).code == ACCESS_ACCEPT
    bench.replica.apply(PoolChange(1, 1, None))
    assert bench.login(from_device(5)).all(FRAMED_POOL) == [b"renamed"]


def test_the_replica_knows_which_addresses_are_somebodys_own() -> None:
    replica = Replica()
    own = CustomerExtras(framed_ip_address=IPv4Address("10.5.0.3"))
    people = [customer(name, id=number, extras=own) for number, name in enumerate(("anna", "berta"))]
    replica.load(Snapshot([Isp(1, "one")], [], [PLANS[0]], people))
    isp = replica.find_isp(1)
    assert isp is not None
    assert dict(isp.fixed) == {IPv4Address("10.5.0.3"): 2}
    replica.apply(CustomerChange(1, "anna", None))
    replica.apply(CustomerChange(1, "berta", customer("berta", extras=own)))
    assert dict(isp.fixed) == {IPv4Address("10.5.0.3"): 1}
    replica.apply(CustomerChange(1, "berta", customer("berta")))
    assert not isp.fixed
