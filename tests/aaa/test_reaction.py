"""From one reply to another: nothing, a change, or a new login. One row, one line."""

from ipaddress import IPv4Address, IPv6Network
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.reaction import (
    AS_GOOD_AS_NEVER_S,
    CHANGEABLE,
    Change,
    Disconnect,
    Nothing,
    attributes_of,
    name_of,
    plan_reaction,
)
from radiuscore.aaa.records import CustomerExtras, RateLimit, ServicePlan
from radiuscore.aaa.reply import customer_reply, plan_reply
from radiuscore.wire.ascend import ASCEND_DATA_RATE, ASCEND_XMIT_RATE
from radiuscore.wire.microsoft import MS_CHAP2_SUCCESS
from radiuscore.wire.mikrotik import (
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_ADVERTISE_INTERVAL,
    MIKROTIK_ADVERTISE_URL,
    MIKROTIK_DELEGATED_IPV6_POOL,
    MIKROTIK_GROUP,
    MIKROTIK_MARK_ID,
    MIKROTIK_RATE_LIMIT,
    MIKROTIK_RECV_LIMIT,
    MIKROTIK_RECV_LIMIT_GIGAWORDS,
    MIKROTIK_TOTAL_LIMIT,
    MIKROTIK_XMIT_LIMIT,
    MIKROTIK_XMIT_LIMIT_GIGAWORDS,
)
from radiuscore.wire.packet import Pair, encode_attributes
from radiuscore.wire.rfc import (
    ACCT_INTERIM_INTERVAL,
    CLASS,
    DELEGATED_IPV6_PREFIX,
    FILTER_ID,
    FRAMED_IP_ADDRESS,
    FRAMED_IPV6_PREFIX,
    FRAMED_POOL,
    FRAMED_ROUTE,
    IDLE_TIMEOUT,
    MESSAGE_AUTHENTICATOR,
    PORT_LIMIT,
    PROXY_STATE,
    SESSION_TIMEOUT,
)
from radiuscore.wire.wispr import WISPR_BANDWIDTH_MAX_DOWN

RATE, LIST = MIKROTIK_RATE_LIMIT, MIKROTIK_ADDRESS_LIST
FASTER = RATE("50M/50M")
UNLIMITED_RECV = [MIKROTIK_RECV_LIMIT(0xFFFFFFFF), MIKROTIK_RECV_LIMIT_GIGAWORDS((1 << 18) - 1)]
UNLIMITED_XMIT = [MIKROTIK_XMIT_LIMIT(0xFFFFFFFF), MIKROTIK_XMIT_LIMIT_GIGAWORDS((1 << 18) - 1)]
LIMITS = {half.key for half in (MIKROTIK_RECV_LIMIT, MIKROTIK_RECV_LIMIT_GIGAWORDS)} | {
    half.key for half in (MIKROTIK_XMIT_LIMIT, MIKROTIK_XMIT_LIMIT_GIGAWORDS)
}
RATES = {RATE.key, ASCEND_DATA_RATE.key, ASCEND_XMIT_RATE.key}
Pairs = list[Pair]

CHANGED: list[tuple[Pairs, Pairs, Pairs]] = [
    ([RATE("10M/10M")], [FASTER], [FASTER]),
    ([], [FASTER], [FASTER]),
    ([RATE("10M/10M")], [], [RATE("0/0")]),
    ([ASCEND_DATA_RATE(1000)], [ASCEND_DATA_RATE(2000)], [ASCEND_DATA_RATE(2000)]),
    (
        [ASCEND_DATA_RATE(1), ASCEND_XMIT_RATE(2)],
        [ASCEND_DATA_RATE(1), ASCEND_XMIT_RATE(3)],
        [ASCEND_DATA_RATE(1), ASCEND_XMIT_RATE(3)],
    ),
    ([ASCEND_DATA_RATE(1), ASCEND_XMIT_RATE(2)], [], [RATE("0/0")]),
    ([ASCEND_DATA_RATE(1000)], [FASTER], [FASTER]),
    ([LIST("paid")], [LIST("walled")], [LIST("walled")]),
    ([], [LIST("walled")], [LIST("walled")]),
    ([MIKROTIK_GROUP("a")], [MIKROTIK_GROUP("b")], [MIKROTIK_GROUP("b")]),
    ([MIKROTIK_MARK_ID("a.in")], [MIKROTIK_MARK_ID("b.in")], [MIKROTIK_MARK_ID("b.in")]),
    ([FILTER_ID("a.in"), FILTER_ID("a.out")], [FILTER_ID("a.in")], [FILTER_ID("a.in")]),
    ([PORT_LIMIT(1)], [PORT_LIMIT(3)], [PORT_LIMIT(3)]),
    (
        [MIKROTIK_ADVERTISE_URL("http://a"), MIKROTIK_ADVERTISE_INTERVAL(60)],
        [MIKROTIK_ADVERTISE_URL("http://b"), MIKROTIK_ADVERTISE_INTERVAL(60)],
        [MIKROTIK_ADVERTISE_URL("http://b")],
    ),
    ([SESSION_TIMEOUT(3600)], [SESSION_TIMEOUT(7200)], [SESSION_TIMEOUT(7200)]),
    ([SESSION_TIMEOUT(3600)], [SESSION_TIMEOUT(3603)], [SESSION_TIMEOUT(3603)]),
    ([], [SESSION_TIMEOUT(3600)], [SESSION_TIMEOUT(3600)]),
    ([SESSION_TIMEOUT(3600)], [], [SESSION_TIMEOUT(AS_GOOD_AS_NEVER_S)]),
    ([IDLE_TIMEOUT(60)], [IDLE_TIMEOUT(61)], [IDLE_TIMEOUT(61)]),
    ([IDLE_TIMEOUT(60)], [], [IDLE_TIMEOUT(AS_GOOD_AS_NEVER_S)]),
    (
        [MIKROTIK_RECV_LIMIT(5), MIKROTIK_RECV_LIMIT_GIGAWORDS(2)],
        [MIKROTIK_RECV_LIMIT(5)],
        [MIKROTIK_RECV_LIMIT(5), MIKROTIK_RECV_LIMIT_GIGAWORDS(0)],
    ),
    (
        [MIKROTIK_XMIT_LIMIT(5)],
        [MIKROTIK_XMIT_LIMIT_GIGAWORDS(1)],
        [MIKROTIK_XMIT_LIMIT(0), MIKROTIK_XMIT_LIMIT_GIGAWORDS(1)],
    ),
    ([MIKROTIK_RECV_LIMIT(5)], [], UNLIMITED_RECV),
    ([MIKROTIK_XMIT_LIMIT_GIGAWORDS(5)], [], UNLIMITED_XMIT),
    ([RATE("1M"), LIST("a")], [FASTER, LIST("b"), ACCT_INTERIM_INTERVAL(300)], [FASTER, LIST("b")]),
]


@pytest.mark.parametrize(("old", "new", "sent"), CHANGED)
def test_routeros_changes_this_while_the_session_is_up(old: Pairs, new: Pairs, sent: Pairs) -> None:
    assert plan_reaction(old, new) == Change(encode_attributes(sent))
    assert plan_reaction(encode_attributes(old), encode_attributes(new)) == Change(encode_attributes(sent))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([], []),
        ([FASTER, LIST("a")], [LIST("a"), FASTER]),
        ([CLASS(b"one")], [CLASS(b"two")]),
        ([PROXY_STATE(b"one")], []),
        ([], [MESSAGE_AUTHENTICATOR(bytes(16))]),
        ([ACCT_INTERIM_INTERVAL(290)], [ACCT_INTERIM_INTERVAL(310)]),
        ([MS_CHAP2_SUCCESS(b"\1S=1")], []),
        ([MIKROTIK_TOTAL_LIMIT(1000)], [MIKROTIK_TOTAL_LIMIT(2000)]),
        ([SESSION_TIMEOUT(3600)], [SESSION_TIMEOUT(3601)]),
        ([SESSION_TIMEOUT(3600)], [SESSION_TIMEOUT(3598)]),
        ([SESSION_TIMEOUT(0)], []),
        ([FASTER, ASCEND_DATA_RATE(1)], [FASTER, ASCEND_DATA_RATE(2)]),
        ([FRAMED_ROUTE("10.1.0.0/16"), FASTER], [FASTER, FRAMED_ROUTE("10.1.0.0/16")]),
        ([(FILTER_ID.type, b"")], []),
    ],
)
def test_nothing_is_done_for_what_makes_no_difference_now(old: Pairs, new: Pairs) -> None:
    assert plan_reaction(old, new) == Nothing()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            [FRAMED_IP_ADDRESS(IPv4Address("10.0.0.1"))],
            [FRAMED_IP_ADDRESS(IPv4Address("10.0.0.2"))],
            "Framed-IP-Address",
        ),
        ([FRAMED_POOL("a")], [FRAMED_POOL("b")], "Framed-Pool"),
        ([FRAMED_POOL("a")], [], "Framed-Pool"),
        ([FRAMED_POOL("a")], [FRAMED_IP_ADDRESS(IPv4Address("10.0.0.2"))], "Framed-Pool, Framed-IP-Address"),
        ([FRAMED_ROUTE("a")], [FRAMED_ROUTE("a"), FRAMED_ROUTE("b")], "Framed-Route"),
        ([FRAMED_ROUTE("a"), FRAMED_ROUTE("b")], [FRAMED_ROUTE("b"), FRAMED_ROUTE("a")], "Framed-Route"),
        ([], [FRAMED_IPV6_PREFIX(IPv6Network("2001:db8::/64"))], "Framed-IPv6-Prefix"),
        ([DELEGATED_IPV6_PREFIX(IPv6Network("2001:db8::/56"))], [], "Delegated-IPv6-Prefix"),
        ([], [MIKROTIK_DELEGATED_IPV6_POOL("six")], "Mikrotik-Delegated-IPv6-Pool"),
        ([], [WISPR_BANDWIDTH_MAX_DOWN(1000)], "WISPr-Bandwidth-Max-Down"),
        # Gone, and no value of theirs means none: the router's own default would have to come back.
        ([LIST("walled")], [], "Mikrotik-Address-List"),
        ([MIKROTIK_GROUP("a")], [], "Mikrotik-Group"),
        ([MIKROTIK_MARK_ID("a")], [], "Mikrotik-Mark-Id"),
        ([FILTER_ID("a")], [], "Filter-Id"),
        ([PORT_LIMIT(1)], [], "Port-Limit"),
        ([MIKROTIK_ADVERTISE_URL("http://a")], [], "Mikrotik-Advertise-URL"),
        # Ascend's rates are ignored while there is a Mikrotik-Rate-Limit.
        ([FASTER], [ASCEND_DATA_RATE(1)], "Mikrotik-Rate-Limit"),
        ([ASCEND_DATA_RATE(1), ASCEND_XMIT_RATE(1)], [ASCEND_DATA_RATE(1)], "Mikrotik-Rate-Limit"),
        # What can be changed does not help where something else cannot.
        ([FASTER, FRAMED_POOL("a")], [RATE("1M/1M"), FRAMED_POOL("b")], "Framed-Pool"),
        ([(26, b"\0\0\0\x01\x02\x03a")], [], "Attr-26.1.2"),
    ],
)
def test_the_rest_needs_a_new_login(old: Pairs, new: Pairs, named: str) -> None:
    assert plan_reaction(old, new) == Disconnect(f"{named} cannot be changed while the session is up.")


def test_who_would_be_rejected_is_disconnected() -> None:
    reaction = plan_reaction([FASTER], Reject(RejectReason.EXPIRED, "This account has expired."))
    assert reaction == Disconnect("The customer may not be online any more: expired.")


def test_a_plan_of_another_speed_is_a_change_and_of_another_pool_is_not() -> None:
    def reply_of(speed: int, pool: str) -> bytes:
        plan = ServicePlan(1, 1, "home", RateLimit(speed, speed), idle_timeout_s=600, framed_pool=pool)
        own = customer_reply(CustomerExtras(framed_routes=("10.9.0.0/24 0.0.0.0 1",)))
        return own.over(plan_reply(plan).normal) + plan_reply(plan).interim_of(speed)

    assert plan_reaction(reply_of(10_000_000, "a"), reply_of(50_000_000, "a")) == Change(encode_attributes([FASTER]))
    assert isinstance(plan_reaction(reply_of(10_000_000, "a"), reply_of(10_000_000, "b")), Disconnect)


octets = st.integers(1, 20).map(lambda number: number.to_bytes(4, "big"))
changeable = st.sampled_from(sorted(CHANGEABLE))


def pair_of(key: tuple[int, ...], value: bytes) -> Pair:
    if len(key) == 1:
        return key[0], value
    return 26, key[1].to_bytes(4, "big") + bytes((key[2], len(value) + 2)) + value


replies = st.lists(st.builds(pair_of, changeable | st.sampled_from([(8,), (25,), (88,), (85,)]), octets), max_size=6)


@given(replies, st.randoms())
def test_nothing_is_changed_where_nothing_is_new(reply: Pairs, random: Random) -> None:
    """The order of attributes says nothing, that of one attribute's values does."""
    shuffled = list(reply)
    random.shuffle(shuffled)
    values = attributes_of(reply)
    assert plan_reaction(reply, reply) == Nothing()
    assert attributes_of(shuffled) != values or plan_reaction(reply, shuffled) == Nothing()


@given(replies, replies)
def test_only_what_routeros_changes_is_ever_sent(old: Pairs, new: Pairs) -> None:
    reaction = plan_reaction(old, new)
    match reaction:
        case Change(attributes):
            assert attributes
            assert set(attributes_of(attributes)) <= CHANGEABLE
        case Disconnect(why):
            assert why.endswith("while the session is up.")
        case Nothing():
            assert attributes_of(old).get((8,)) == attributes_of(new).get((8,))


@given(replies, replies)
def test_a_change_leaves_nothing_to_change(old: Pairs, new: Pairs) -> None:
    """What the session has then differs from what it should have only where a value stands for none."""
    reaction = plan_reaction(old, new)
    if isinstance(reaction, Change):
        has, should = attributes_of(old) | attributes_of(reaction.attributes), attributes_of(new)
        for key in should.keys() & CHANGEABLE - RATES:
            assert has[key] == should[key] or key in (SESSION_TIMEOUT.key, IDLE_TIMEOUT.key, *LIMITS), name_of(key)
        if IDLE_TIMEOUT.key in should:  # of several the first counts
            assert has[IDLE_TIMEOUT.key][0] == should[IDLE_TIMEOUT.key][0]
        if RATE.key in should:
            assert has[RATE.key] == should[RATE.key]
