"""Explain says what the server then answers, why, and what would help: in tables, and for random customers."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.access import Standing
from radiuscore.aaa.changes import Snapshot
from radiuscore.aaa.cures import Remedy, cure
from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.explain import due_reply, explain, explain_reject
from radiuscore.aaa.names import format_mac, username_key
from radiuscore.aaa.reaction import Change, Nothing, plan_reaction
from radiuscore.aaa.reasons import MEANINGS, meaning_of
from radiuscore.aaa.records import (
    Customer,
    CustomerExtras,
    CustomerStatus,
    ExpiredAction,
    Isp,
    Nas,
    QuotaAction,
    RateLimit,
    ServicePlan,
    SimultaneousUseMode,
)
from radiuscore.aaa.reply import plan_reply
from radiuscore.aaa.situation import NO_MAC, OnlineSession, Situation
from radiuscore.engine.engine import Engine
from radiuscore.engine.policy_replica import Login, ReplicaPolicy
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.wire.codes import Code
from radiuscore.wire.packet import Packet, Pair, decode, encode_attributes, encode_request
from radiuscore.wire.password import hide_password
from radiuscore.wire.rfc import CALLING_STATION_ID, CLASS, MESSAGE_AUTHENTICATOR, SESSION_TIMEOUT, USER_NAME
from radiuscore.wire.secret import SharedSecret

SECRET = SharedSecret(b"s3cret")
AUTHENTICATOR = bytes(range(16))
HOUR, DAY = 3600, 86_400
M = 1_000_000
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=BERLIN).timestamp()  # a Monday, no change of clocks for weeks
ISP = Isp(1, "one", zone=BERLIN)
PLAN = ServicePlan(5, 1, "home", RateLimit(50 * M, 10 * M), framed_pool="customers")
ANNA = Customer(7, 1, "anna", "anna", b"arctangent", plan_id=5)
ONE, TWO, THREE = (bytes.fromhex(f"0200000000{last}") for last in ("aa", "bb", "cc"))
DEVICE = replace(ANNA, username=format_mac(ONE), username_key=format_mac(ONE), password=None)
GARDEN = replace(PLAN, expired_action=ExpiredAction.WALLED_GARDEN, walled_garden_address_list="unpaid")
STRICT = replace(PLAN, simultaneous_use=1, simultaneous_use_mode=SimultaneousUseMode.STRICT)
FIRST = OnlineSession("81d00001", 1, "tower 1", TWO, NOW - DAY)
SECOND = OnlineSession("81d00002", 2, "tower 2", THREE, NOW - HOUR)


def asked(customer: Customer | None = ANNA, plan: ServicePlan | None = PLAN, **values: Any) -> Situation:
    return Situation(**({"isp": ISP, "at": NOW} | values), customer=customer, plan=plan)  # type: ignore[arg-type]


def anna(**extras: Any) -> Customer:
    return replace(ANNA, extras=CustomerExtras(**extras))


# One row, one line

LATE = replace(PLAN, login_hours=((18 * 60, 22 * 60),))


@pytest.mark.parametrize(
    ("situation", "sentence"),
    [
        (asked(), "Let in with all that plan home promises."),
        (asked(None), "Rejected: nobody has this username."),
        (asked(replace(ANNA, password=b"")), "Rejected: the account's password is empty."),
        (
            asked(replace(ANNA, password=None)),
            "Rejected: the account has no password, and its username is not a MAC address.",
        ),
        (
            asked(DEVICE, mac=TWO),
            "Rejected: the account is the device 02:00:00:00:00:aa, and this is 02:00:00:00:00:bb.",
        ),
        (asked(isp=replace(ISP, active=False)), "Rejected: the ISP is suspended."),
        (asked(replace(ANNA, status=CustomerStatus.SUSPENDED)), "Rejected: the account is suspended."),
        (asked(plan=None), "Rejected: the account has no service plan."),
        (
            asked(anna(mac_addresses=frozenset({ONE, TWO})), mac=THREE),
            "Rejected: the account is locked to 02:00:00:00:00:aa, 02:00:00:00:00:bb, and this is 02:00:00:00:00:cc.",
        ),
        (
            asked(anna(mac_addresses=frozenset({ONE})), mac=NO_MAC),
            "Rejected: the account is locked to 02:00:00:00:00:aa, and the router does not tell which device this is.",
        ),
        (asked(anna(nas_ids=frozenset({2})), nas_id=1), "Rejected: the account may not be used through this router."),
        (asked(replace(ANNA, status=CustomerStatus.UNPAID)), "Rejected: an invoice is unpaid."),
        (
            asked(replace(ANNA, status=CustomerStatus.UNPAID), GARDEN),
            "Let into the walled garden only: an invoice is unpaid.",
        ),
        (asked(replace(ANNA, expires_at=NOW - DAY)), "Rejected: the account expired yesterday at 12:00."),
        (
            asked(replace(ANNA, expires_at=NOW - 40 * DAY), GARDEN),
            "Let into the walled garden only: the account expired on 2026-10-14 at 13:00.",
        ),
        (asked(plan=LATE), "Rejected: it is outside the login hours of plan home; they begin today at 18:00."),
        (
            asked(plan=LATE, at=NOW + 11 * HOUR),
            "Rejected: it is outside the login hours of plan home; they begin on 2026-11-30 at 18:00.",
        ),
        (
            asked(anna(quota_state=QuotaAction.BLOCK, quota_until=NOW + 12 * HOUR)),
            "Rejected: the quota is used up; the next one begins tomorrow at 00:00.",
        ),
        (asked(anna(quota_state=QuotaAction.BLOCK)), "Rejected: the quota is used up."),
        (
            asked(anna(quota_state=QuotaAction.THROTTLE, quota_until=NOW + 8 * DAY)),
            "Let in at the throttled speed: the quota is used up; the next one begins on 2026-12-01 at 12:00.",
        ),
        (
            asked(anna(quota_state=QuotaAction.WALLED_GARDEN)),
            "Let into the walled garden only: the quota is used up.",
        ),
        (
            asked(plan=STRICT, mac=ONE, online=(FIRST,)),
            "Rejected: the account is online as often as it may be: "
            "session 81d00001 on tower 1, begun yesterday at 12:00.",
        ),
        (
            asked(plan=replace(PLAN, simultaneous_use=2), mac=ONE, online=(SECOND, FIRST)),
            "Let in with all that plan home promises. "
            "For it session 81d00001 on tower 1, begun yesterday at 12:00, is ended.",
        ),
        (
            asked(anna(framed_routes=("x" * 253,) * 17)),
            "Rejected: what the customer should get does not fit into one RADIUS packet.",
        ),
    ],
)
def test_says_what_comes_of_a_login_and_why(situation: Situation, sentence: str) -> None:
    assert explain(situation).sentence == sentence


@pytest.mark.parametrize(
    ("situation", "remedies"),
    [
        (asked(), []),
        (asked(None), [("username", None, "Look for a typing error in the username, or create a customer with it.")]),
        (asked(replace(ANNA, password=b"")), [("password", None, "Set a password.")]),
        (
            asked(DEVICE, mac=TWO),
            [
                (
                    "mac",
                    "02:00:00:00:00:aa",
                    "Log in from the device 02:00:00:00:00:aa: this account is that device.",
                )
            ],
        ),
        (
            asked(anna(mac_addresses=frozenset({ONE})), mac=TWO),
            [
                (
                    "mac_addresses",
                    "02:00:00:00:00:bb",
                    "Add 02:00:00:00:00:bb to the account's devices, or remove the lock.",
                )
            ],
        ),
        (
            asked(plan=LATE),
            [("at", NOW + 6 * HOUR, "Log in again today at 18:00, or change the plan's login hours.")],
        ),
        (
            asked(anna(quota_state=QuotaAction.THROTTLE, quota_until=NOW + 8 * DAY)),
            [
                (
                    "quota",
                    NOW + 8 * DAY,
                    "Sell a top-up, or wait until the next period begins on 2026-12-01 at 12:00.",
                )
            ],
        ),
        (
            asked(plan=STRICT, mac=ONE, online=(FIRST,)),
            [
                (
                    "simultaneous_use",
                    2,
                    "End session 81d00001 on tower 1, begun yesterday at 12:00, or allow more sessions at once.",
                )
            ],
        ),
        (
            asked(
                replace(
                    anna(mac_addresses=frozenset({ONE}), nas_ids=frozenset({2})),
                    status=CustomerStatus.UNPAID,
                    expires_at=NOW - 1,
                ),
                GARDEN,
                nas_id=1,
                mac=NO_MAC,
            ),
            [
                (
                    "mac_addresses",
                    None,
                    "Remove the lock to certain devices: this router does not tell which device it is.",
                ),
                ("device_ids", 1, "Add this router to the account's routers, or allow all."),
                ("status", "active", "Enter the payment, or set the status to active."),
                ("expires_at", None, "Set a later expiry, or none."),
            ],
        ),
    ],
)
def test_says_all_that_would_have_to_change(situation: Situation, remedies: list[tuple[str, object, str]]) -> None:
    assert [remedy[1:] for remedy in explain(situation).remedies] == remedies


def test_a_question_without_router_and_device_is_about_those_that_may_be_used() -> None:
    locked = anna(nas_ids=frozenset({2, 3}), mac_addresses=frozenset({ONE, TWO}))
    assert explain(asked(locked)).rule is None
    assert explain(asked(DEVICE)).rule is None
    assert explain(asked(locked, mac=THREE)).rule is RejectReason.MAC_NOT_ALLOWED
    assert explain(asked(locked, nas_id=1)).rule is RejectReason.DEVICE_NOT_ALLOWED


@pytest.mark.parametrize("mode", SimultaneousUseMode)
@pytest.mark.parametrize(
    ("mac", "nas_id", "limit", "others"),
    [(ONE, 1, 1, 1), (ONE, 1, 2, 0), (TWO, 1, 1, 0), (TWO, 2, 1, 1), (NO_MAC, 1, 1, 1), (ONE, 1, None, 0)],
)
def test_one_session_is_in_the_way_of_another_unless_it_is_the_same_devices(
    mode: SimultaneousUseMode, mac: bytes, nas_id: int, limit: int | None, others: int
) -> None:
    plan = replace(PLAN, simultaneous_use=limit, simultaneous_use_mode=mode)
    explanation = explain(asked(plan=plan, mac=mac, nas_id=nas_id, online=(FIRST,)))
    assert explanation.accepted == (mode is SimultaneousUseMode.SOFT or not others)
    assert explanation.displaced == (FIRST if others and mode is SimultaneousUseMode.SOFT else None)


def test_the_customers_own_limit_goes_before_the_plans() -> None:
    assert explain(asked(anna(simultaneous_use=2), STRICT, mac=ONE, online=(FIRST,))).accepted


@pytest.mark.parametrize(
    ("situation", "until"),
    [
        (asked(), None),
        (asked(replace(ANNA, expires_at=NOW + 5)), NOW + 5),
        (asked(replace(ANNA, expires_at=NOW - 5)), None),
        (asked(anna(quota_state=QuotaAction.BLOCK, quota_until=NOW + 9)), NOW + 9),
        (asked(replace(anna(quota_state=QuotaAction.BLOCK, quota_until=NOW + 9), expires_at=NOW + 5)), NOW + 5),
        (asked(replace(ANNA, status=CustomerStatus.SUSPENDED, expires_at=NOW + 5)), None),
        (asked(plan=LATE), NOW + 6 * HOUR),
        (asked(plan=LATE, at=NOW + 8 * HOUR), NOW + 10 * HOUR),
        (asked(plan=LATE, at=NOW + 10 * HOUR), NOW + 7 * DAY + 6 * HOUR),
        (asked(None), None),
    ],
)
def test_says_when_the_answer_changes_by_itself(situation: Situation, until: float | None) -> None:
    assert explain(situation).until == until


def test_login_hours_begin_by_the_wall_clock_after_a_change_of_clocks() -> None:
    sunday = datetime(2026, 10, 25, 1, 0, tzinfo=BERLIN).timestamp()
    morning = replace(PLAN, login_hours=((6 * 24 * 60 + 8 * 60, 6 * 24 * 60 + 10 * 60),))  # Sunday 08:00 to 10:00
    assert explain(asked(plan=morning, at=sunday)).until == datetime(2026, 10, 25, 8, 0, tzinfo=BERLIN).timestamp()
    assert explain(asked(plan=morning, at=sunday)).until == sunday + 8 * HOUR


# Rejects that have happened


def test_every_reason_has_a_meaning_and_a_cure() -> None:
    assert set(MEANINGS) == set(RejectReason)
    for meaning in (*MEANINGS.values(), meaning_of("a_librarys_own")):
        for text in meaning:
            assert text[0].isupper()
            assert text.endswith(".")
            assert "  " not in text
    assert len({meaning.sentence for meaning in MEANINGS.values()}) == len(MEANINGS)


def test_a_reject_is_told_in_the_words_of_its_situation_while_the_rule_still_holds() -> None:
    expired = asked(replace(ANNA, expires_at=NOW - DAY))
    assert explain_reject("expired", expired).sentence == "Rejected: the account expired yesterday at 12:00."
    assert explain_reject("expired", expired).cure == MEANINGS[RejectReason.EXPIRED].cure
    assert explain_reject("expired", asked()) == MEANINGS[RejectReason.EXPIRED]
    assert explain_reject("bad_credentials", expired) == MEANINGS[RejectReason.BAD_CREDENTIALS]
    assert explain_reject("their own", expired) == meaning_of("their own")
    garden = asked(replace(ANNA, expires_at=NOW - DAY), GARDEN)
    assert explain_reject("expired", garden) == MEANINGS[RejectReason.EXPIRED]


# The server's own answer


class Server:
    """The real engine with one ISP in it, asked once."""

    def __init__(self, situation: Situation) -> None:
        plans = [situation.plan] if situation.plan is not None else []
        customers = [situation.customer] if situation.customer is not None else []
        replica = Replica()
        replica.load(Snapshot([situation.isp], [], plans, customers))
        self.logins: list[Login] = []
        policy = ReplicaPolicy(replica, self.logins.append, record=lambda event: pytest.fail("no accounting here"))
        nases = [Nas(f"10.0.0.{nas_id}", SECRET.octets, isp_id=1, id=nas_id) for nas_id in (1, 2)]
        self.engine = Engine(NasTable(nases), access=policy.access, accounting=policy.accounting)

    def answer(self, situation: Situation) -> tuple[bool, str, bytes]:
        """Log in by PAP; return whether that succeeded, the logged reason, and the attributes of the service."""
        customer = situation.customer
        name = customer.username if customer is not None else "anna"
        password = (customer.password if customer is not None else b"x") or b""
        pairs: list[Pair] = [USER_NAME(name), (2, hide_password(password, SECRET, AUTHENTICATOR))]
        if situation.used_mac is not None:
            pairs.append(CALLING_STATION_ID(situation.used_mac.hex(":").upper()))
        octets = encode_attributes(pairs)
        request = encode_request(Code.ACCESS_REQUEST, 1, octets, SECRET, authenticator=AUTHENTICATOR, sign=True)
        source = (40001).to_bytes(2, "big") + ip_address(f"10.0.0.{situation.used_nas or 1}").packed
        reply = self.engine.auth.handle(request, source, b"", Moment(1000.0, situation.at))
        assert isinstance(reply, bytes)
        packet = decode(reply)
        return packet.code == Code.ACCESS_ACCEPT, self.logins[-1].reason, _service_of(packet)


def _service_of(packet: Packet) -> bytes:
    left_out = (CLASS.type, MESSAGE_AUTHENTICATOR.type)
    return encode_attributes(pair for pair in packet.attributes if pair[0] not in left_out)


def answer_of(situation: Situation) -> tuple[bool, str, bytes]:
    return Server(situation).answer(situation)


times = st.none() | st.floats(-8 * DAY, 8 * DAY).map(lambda seconds: NOW + seconds)
seconds = st.none() | st.integers(1, 30 * DAY)
macs = st.sampled_from([ONE, TWO, THREE])
words = st.none() | st.sampled_from(["a", "b"])
rates = st.none() | st.builds(RateLimit, st.sampled_from([0, M, 2 * M]), st.sampled_from([0, M]))


@st.composite
def login_hours(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """Ranges of a week that do not touch and leave something over."""
    edges = sorted(draw(st.sets(st.integers(0, 10_079), max_size=8)))
    return tuple(zip(edges[::2], edges[1::2], strict=False))


plans = st.builds(
    ServicePlan,
    *(st.just(5), st.just(1), st.just("home")),
    rate_limit=rates.map(lambda rate: rate or RateLimit()),
    session_timeout_s=seconds,
    idle_timeout_s=seconds,
    interim_interval_s=st.sampled_from([None, 60, 300]),
    framed_pool=words,
    address_list=words,
    mikrotik_group=words,
    login_hours=st.just(()) | login_hours(),
    expired_action=st.sampled_from(ExpiredAction),
    walled_garden_address_list=words,
    walled_garden_pool=words,
    walled_garden_rate_limit=rates,
    throttle_rate_limit=rates,
)


@st.composite
def extras(draw: st.DrawFn) -> CustomerExtras:
    quota_state = draw(st.none() | st.sampled_from(QuotaAction))
    return CustomerExtras(
        framed_ip_address=draw(st.none() | st.just(IPv4Address("10.1.2.3"))),
        framed_routes=draw(st.sampled_from([(), (), ("10.9.0.0/24 0.0.0.0 1",), ("x" * 253,) * 15, ("x" * 240,) * 17])),
        mac_addresses=draw(st.frozensets(macs, max_size=2)),
        nas_ids=draw(st.frozensets(st.integers(1, 2), max_size=1)),
        rate_limit=draw(rates),
        address_list=draw(words),
        quota_state=quota_state,
        quota_until=draw(times) if quota_state is not None else None,
    )


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    username = draw(st.sampled_from(["anna", format_mac(ONE)]))
    return Customer(
        draw(st.integers(1, 10**9)),
        1,
        username,
        username_key(username),
        draw(st.sampled_from([b"arctangent", b"arctangent", None, b""])),
        draw(st.sampled_from([5, 5, 5, None])),
        draw(st.sampled_from([CustomerStatus.ACTIVE, *CustomerStatus])),
        draw(times),
        draw(st.none() | extras()),
    )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    customer = draw(st.none() | customers())
    return Situation(
        isp=Isp(1, "one", draw(st.sampled_from([True, True, True, False])), draw(st.sampled_from([UTC, BERLIN]))),
        customer=customer,
        plan=draw(plans) if customer is not None and customer.plan_id is not None else None,
        at=NOW + draw(st.floats(-8 * DAY, 8 * DAY)),
        nas_id=draw(st.sampled_from([1, 2, None])),
        mac=draw(st.sampled_from([NO_MAC, None, ONE, TWO])),
    )


@given(situations())
def test_explains_what_the_server_then_answers(situation: Situation) -> None:
    explanation = explain(situation)
    accepted, reason, attributes = answer_of(situation)
    if explanation.rule is RejectReason.REPLY_TOO_LONG:
        assert not accepted
        return
    assert explanation.accepted == accepted
    assert reason == ("" if explanation.accepted else explanation.rule)
    assert explanation.attributes == (attributes if accepted else b"")
    assert explanation.session_timeout_s == session_timeout(explanation.attributes)
    assert (explanation.rule is None) == (explanation.standing is Standing.NORMAL)


def session_timeout(attributes: bytes) -> int | None:
    header = b"\x02\0" + (20 + len(attributes)).to_bytes(2, "big") + bytes(16)
    return SESSION_TIMEOUT.first(decode(header + attributes))


@pytest.mark.parametrize("last_route", [150, 168, 169, 170, 171, 172, 190])
def test_knows_to_the_octet_what_fits_into_a_packet(last_route: int) -> None:
    routes = ("x" * 253,) * 15 + ("x" * last_route,)
    situation = asked(anna(framed_routes=routes), ServicePlan(5, 1, "home", interim_interval_s=None))
    fits = 20 + 18 + 18 + 15 * 255 + 2 + last_route <= 4096
    assert explain(situation).accepted == answer_of(situation)[0] == fits


@given(situations())
def test_the_remedies_together_give_the_customer_all_that_his_plan_promises(situation: Situation) -> None:
    remedies, cured = cure(situation)
    assert len({remedy.rule for remedy in remedies}) == len(remedies)
    assert (not remedies) == (explain(situation).rule is None)
    if cured.customer is None:
        assert [remedy.rule for remedy in remedies] == [RejectReason.UNKNOWN_USER]
        return
    accepted, _, attributes = answer_of(cured)
    assert accepted
    assert attributes == explain(cured).attributes
    assert explain(cured).standing is Standing.NORMAL
    assert cured.plan is not None
    assert cured.customer.extras or attributes.startswith(plan_reply(cured.plan).normal_octets)


@given(situations(), st.floats(0, 1))
def test_an_answer_holds_until_it_says(situation: Situation, share: float) -> None:
    explanation = explain(situation)
    horizon = explanation.until if explanation.until is not None else situation.at + 15 * DAY
    assert horizon > situation.at
    between = explain(replace(situation, at=situation.at + (horizon - situation.at) * share * 0.999))
    assert (between.rule, between.standing) == (explanation.rule, explanation.standing)
    if explanation.until is not None:
        then = explain(replace(situation, at=explanation.until))
        assert (then.rule, then.standing) != (explanation.rule, explanation.standing)
        assert answer_of(replace(situation, at=explanation.until))[0] == then.accepted


# What a live session should have


@given(situations())
def test_at_its_beginning_a_session_has_what_it_should_have(situation: Situation) -> None:
    explanation = explain(situation)
    if explanation.accepted:
        assert due_reply(situation, situation.at) == explanation.attributes


@given(situations(), st.floats(0, 1))
def test_time_alone_changes_nothing_of_a_session_while_the_answer_holds(situation: Situation, share: float) -> None:
    """Nobody is sent a CoA-Request only because it is later; who would be rejected is asked about once cured."""
    if not explain(situation).accepted:
        _, situation = cure(situation)
    explanation = explain(situation)
    if not explanation.accepted:
        return
    began = situation.at
    horizon = explanation.until if explanation.until is not None else began + 15 * DAY
    later = replace(situation, at=began + (horizon - began) * share * 0.999)
    assert plan_reaction(explanation.attributes, due_reply(later, began)) == Nothing()


def test_a_later_expiry_lets_the_session_go_on() -> None:
    before = due_reply(asked(replace(ANNA, expires_at=NOW + HOUR)), NOW - DAY)
    after = due_reply(asked(replace(ANNA, expires_at=NOW + DAY)), NOW - DAY)
    assert isinstance(before, bytes)
    assert plan_reaction(before, after) == Change(encode_attributes([SESSION_TIMEOUT(2 * DAY + 1)]))


def test_a_plans_own_timeout_counts_from_the_login() -> None:
    plan = replace(PLAN, session_timeout_s=2 * DAY)
    reply = due_reply(asked(replace(ANNA, expires_at=NOW + 3 * DAY), plan), NOW - DAY)
    assert isinstance(reply, bytes)
    assert session_timeout(reply) == 2 * DAY


def test_who_may_not_be_online_any_more_has_no_reply() -> None:
    assert due_reply(asked(replace(ANNA, expires_at=NOW)), NOW - DAY) == Reject(
        RejectReason.EXPIRED, "This account has expired."
    )


def test_a_remedy_is_a_value() -> None:
    (remedy,) = explain(asked(replace(ANNA, expires_at=NOW))).remedies
    assert remedy == Remedy(RejectReason.EXPIRED, "expires_at", None, "Set a later expiry, or none.")
