"""The decision on a login, as a table: one row, one line."""

from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.access import Grant, Judgement, Standing, decide_access, judge_account, login_seconds_left
from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.records import (
    Customer,
    CustomerExtras,
    CustomerStatus,
    ExpiredAction,
    Isp,
    Nas,
    QuotaAction,
    ServicePlan,
)
from radiuscore.aaa.requests import AccessRequest
from radiuscore.wire.packet import Packet, Pair
from radiuscore.wire.password import chap_response, hide_password
from radiuscore.wire.secret import SharedSecret

SECRET = SharedSecret(b"s3cret")
AUTHENTICATOR = bytes(range(16))
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()  # a Monday
ISP = Isp(1, "one")
PLAN = ServicePlan(id=7, isp_id=1, name="home")
NEMO = Customer(1, 1, "nemo", "nemo", b"arctangent", plan_id=7)
MAC = bytes.fromhex("0200000000aa")
DEVICE = Customer(2, 1, "02:00:00:00:00:AA", "02:00:00:00:00:aa", None, plan_id=7)


def request(*attributes: Pair) -> AccessRequest:
    packet = Packet(1, 1, AUTHENTICATOR, attributes)
    return AccessRequest(packet, dict(reversed(attributes)), Nas("10.0.0.1", b"s3cret"), [SECRET], NOW)


def pap(name: bytes, password: bytes, *more: Pair) -> AccessRequest:
    return request((1, name), (2, hide_password(password, SECRET, AUTHENTICATOR)), *more)


def chap(name: bytes, password: bytes, *more: Pair) -> AccessRequest:
    return request((1, name), (3, b"\x07" + chap_response(7, password, AUTHENTICATOR)), *more)


def decide(asked: AccessRequest, customer: Customer | None, plan: ServicePlan | None = PLAN) -> Judgement:
    return decide_access(asked, ISP, customer, plan, 1, NOW)


@pytest.mark.parametrize("offer", [pap, chap])
def test_only_the_right_password_is_let_in(offer: type) -> None:
    assert decide(offer(b"nemo", b"arctangent"), NEMO) == Grant(Standing.NORMAL, None)
    for wrong in (b"", b"arctangen", b"arctangent2", b"ARCTANGENT"):
        assert _reason(decide(offer(b"nemo", wrong), NEMO)) == RejectReason.BAD_CREDENTIALS
    assert _reason(decide(offer(b"nobody", b"arctangent"), None)) == RejectReason.UNKNOWN_USER


@pytest.mark.parametrize("password", [b"", b"x"])
def test_an_empty_password_is_never_right(password: bytes) -> None:
    keyless = replace(NEMO, password=b"")
    assert _reason(decide(pap(b"nemo", password), keyless)) == RejectReason.BAD_CREDENTIALS


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (request((2, bytes(16))), RejectReason.BAD_REQUEST),
        (request((1, b""), (2, bytes(16))), RejectReason.BAD_REQUEST),
        (request((1, b"nemo")), RejectReason.NO_CREDENTIALS),
        (request((1, b"nemo"), (3, bytes(16))), RejectReason.NO_CREDENTIALS),
        (request((1, b"nemo"), (2, b"")), RejectReason.NO_CREDENTIALS),
        (request((1, b"nemo"), (2, bytes(15))), RejectReason.BAD_CREDENTIALS),
        (request((1, b"nemo"), (2, bytes(144))), RejectReason.BAD_CREDENTIALS),
        (request((1, b"nemo"), (79, b"\x02\x01\x00\x09\x01nemo")), RejectReason.UNSUPPORTED_METHOD),
    ],
)
def test_a_request_without_a_proof_is_rejected(asked: AccessRequest, reason: RejectReason) -> None:
    assert _reason(decide(asked, NEMO)) == reason


@pytest.mark.parametrize(
    ("offered", "password", "calling", "granted"),
    [
        (b"02:00:00:00:00:AA", b"", b"02:00:00:00:00:AA", True),  # hotspot
        (b"02:00:00:00:00:AA", b"", b"1:2:0:0:0:0:aa", True),  # DHCP
        (b"02-00-00-00-00-AA", b"02-00-00-00-00-AA", b"02-00-00-00-00-AA", True),  # wireless, name as password
        (b"02:00:00:00:00:AA", b"", b"02:00:00:00:00:BB", False),  # somebody else's device
        (b"02:00:00:00:00:AA", b"", b"", False),
        (b"02:00:00:00:00:AA", b"guess", b"02:00:00:00:00:AA", False),
    ],
)
@pytest.mark.parametrize("offer", [pap, chap])
def test_a_device_without_password_is_known_by_its_own_mac(
    offer: type, offered: bytes, password: bytes, calling: bytes, granted: bool
) -> None:
    assert isinstance(decide(offer(offered, password, (31, calling)), DEVICE), Grant) == granted


WALLED = replace(PLAN, expired_action=ExpiredAction.WALLED_GARDEN)
LOCKED = replace(NEMO, extras=CustomerExtras(mac_addresses=frozenset({MAC})))
HERE = replace(NEMO, extras=CustomerExtras(nas_ids=frozenset({2})))
DAYTIME = replace(PLAN, login_hours=((8 * 60, 13 * 60),))


@pytest.mark.parametrize(
    ("customer", "plan", "nas_id", "mac", "outcome"),
    [
        (NEMO, PLAN, 1, None, Grant(Standing.NORMAL, None)),
        (NEMO, None, 1, None, RejectReason.NO_PLAN),
        (replace(NEMO, status=CustomerStatus.SUSPENDED), PLAN, 1, None, RejectReason.SUSPENDED),
        (replace(NEMO, status=CustomerStatus.SUSPENDED), WALLED, 1, None, RejectReason.SUSPENDED),
        (replace(NEMO, status=CustomerStatus.UNPAID), PLAN, 1, None, RejectReason.UNPAID),
        (replace(NEMO, status=CustomerStatus.UNPAID), WALLED, 1, None, Grant(Standing.WALLED_GARDEN, None)),
        (replace(NEMO, expires_at=NOW), PLAN, 1, None, RejectReason.EXPIRED),
        (replace(NEMO, expires_at=inf), PLAN, 1, None, Grant(Standing.NORMAL, None)),
        (replace(NEMO, expires_at=-inf), PLAN, 1, None, RejectReason.EXPIRED),
        (replace(NEMO, expires_at=NOW), WALLED, 1, None, Grant(Standing.WALLED_GARDEN, None)),
        (replace(NEMO, expires_at=NOW + 99), PLAN, 1, None, Grant(Standing.NORMAL, 100)),
        (replace(NEMO, expires_at=NOW + 99), replace(PLAN, session_timeout_s=60), 1, None, Grant(Standing.NORMAL, 60)),
        (LOCKED, PLAN, 1, MAC, Grant(Standing.NORMAL, None)),
        (LOCKED, PLAN, 1, b"\x02\0\0\0\0\xbb", RejectReason.MAC_NOT_ALLOWED),
        (LOCKED, PLAN, 1, None, RejectReason.MAC_NOT_ALLOWED),
        (HERE, PLAN, 2, None, Grant(Standing.NORMAL, None)),
        (HERE, PLAN, 1, None, RejectReason.DEVICE_NOT_ALLOWED),
        (NEMO, DAYTIME, 1, None, Grant(Standing.NORMAL, 3600)),
        (NEMO, replace(PLAN, login_hours=((0, 60),)), 1, None, RejectReason.OUTSIDE_LOGIN_HOURS),
        (
            replace(NEMO, extras=CustomerExtras(quota_state=QuotaAction.BLOCK)),
            PLAN,
            1,
            None,
            RejectReason.QUOTA_EXHAUSTED,
        ),
        (
            replace(NEMO, extras=CustomerExtras(quota_state=QuotaAction.BLOCK, quota_until=NOW)),
            PLAN,
            1,
            None,
            Grant(Standing.NORMAL, None),
        ),
        (
            replace(NEMO, extras=CustomerExtras(quota_state=QuotaAction.THROTTLE)),
            PLAN,
            1,
            None,
            Grant(Standing.THROTTLED, None),
        ),
        (
            replace(NEMO, extras=CustomerExtras(quota_state=QuotaAction.WALLED_GARDEN)),
            PLAN,
            1,
            None,
            Grant(Standing.WALLED_GARDEN, None),
        ),
    ],
)
def test_judges_an_account(
    customer: Customer, plan: ServicePlan | None, nas_id: int, mac: bytes | None, outcome: Grant | RejectReason
) -> None:
    judgement = judge_account(ISP, customer, plan, nas_id, mac, NOW)
    assert (_reason(judgement) if isinstance(judgement, Reject) else judgement) == outcome


def test_a_suspended_isp_has_no_customers_online() -> None:
    judgement = judge_account(replace(ISP, active=False), NEMO, PLAN, 1, None, NOW)
    assert _reason(judgement) == RejectReason.ISP_SUSPENDED


def test_only_the_owner_of_the_password_learns_of_the_account() -> None:
    suspended = replace(NEMO, status=CustomerStatus.SUSPENDED)
    assert _reason(decide(pap(b"nemo", b"wrong"), suspended)) == RejectReason.BAD_CREDENTIALS
    assert _reason(decide(pap(b"nemo", b"arctangent"), suspended)) == RejectReason.SUSPENDED


def test_wrong_password_and_unknown_user_tell_the_customer_the_same() -> None:
    wrong, unknown = decide(pap(b"nemo", b"wrong"), NEMO), decide(pap(b"nemo2", b"wrong"), None)
    assert isinstance(wrong, Reject)
    assert isinstance(unknown, Reject)
    assert wrong.message == unknown.message == ""


def test_login_hours_are_the_isps_own() -> None:
    plan = replace(PLAN, login_hours=((17 * 60, 18 * 60),))  # Monday 17 to 18; it is 17:30 in Kolkata
    assert login_seconds_left(plan, replace(ISP, zone=ZoneInfo("Asia/Kolkata")), NOW) == 1800
    assert login_seconds_left(plan, ISP, NOW) == 0


def test_login_hours_that_touch_over_the_end_of_the_week_are_one() -> None:
    week = 7 * 24 * 60
    plan = replace(PLAN, login_hours=((week - 60, week), (0, 60)))
    sunday_2330 = NOW - 12 * 3600 - 1800
    assert login_seconds_left(plan, ISP, sunday_2330) == 5400
    always = replace(PLAN, login_hours=((0, week),))
    assert login_seconds_left(always, ISP, NOW) == week * 60


def test_login_hours_end_by_the_wall_clock_on_a_daylight_saving_day() -> None:
    berlin = replace(ISP, zone=ZoneInfo("Europe/Berlin"))
    start = datetime(2026, 10, 25, 1, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()  # clocks go back at 3
    sunday = 6 * 24 * 60
    plan = replace(PLAN, login_hours=((sunday, sunday + 4 * 60),))
    assert login_seconds_left(plan, berlin, start) == 4 * 3600


@given(
    st.lists(st.tuples(st.integers(0, 10079), st.integers(1, 10080)).filter(lambda r: r[0] < r[1]), max_size=4),
    st.integers(0, 10079),
)
def test_login_hours_are_open_exactly_inside_a_range(ranges: list[tuple[int, int]], minute: int) -> None:
    monday = NOW - 12 * 3600
    plan = replace(PLAN, login_hours=tuple(ranges))
    left = login_seconds_left(plan, ISP, monday + minute * 60)
    assert (left > 0) == any(start <= minute < stop for start, stop in ranges)


def _reason(judgement: Judgement) -> str:
    assert isinstance(judgement, Reject), judgement
    return judgement.reason
