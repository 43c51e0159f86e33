"""What one session needs: a row of the table is what it has, what it should have, and what is under way."""

from dataclasses import replace
from uuid import UUID

import pytest

from mgmt.react.directory import Directory
from mgmt.react.judging import GONE, due_of, judge_session
from mgmt.store.reactions import Kind
from radiuscore.aaa.changes import Snapshot
from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.records import Customer, CustomerExtras, CustomerStatus, Isp, RateLimit, ServicePlan
from radiuscore.store.granted import Grant, GrantedSession
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.rfc import ACCT_INTERIM_INTERVAL, FRAMED_POOL

SLOW, FAST = (encode_attributes([MIKROTIK_RATE_LIMIT(rate)]) for rate in ("10M/10M", "50M/50M"))
POOL = encode_attributes([MIKROTIK_RATE_LIMIT("10M/10M"), FRAMED_POOL("homes")])
OFTEN = SLOW + encode_attributes([ACCT_INTERIM_INTERVAL(60)])
SUSPENDED = Reject(RejectReason.SUSPENDED)
MAC = "02:00:00:00:00:01"
NOW = 1_795_435_200.0
SESSION = GrantedSession(1, 11, "81000001", "anna", UUID(int=1), 7, MAC, NOW - 3600, SLOW, "node1")
ANNA = Customer(7, 1, "anna", "anna", b"pw", plan_id=5)
PLAN = ServicePlan(5, 1, "home", RateLimit(10_000_000, 10_000_000), interim_interval_s=None)


@pytest.mark.parametrize(
    ("granted", "due", "wished", "kind", "wanted", "known"),
    [
        (SLOW, SLOW, None, None, None, None),
        (SLOW, OFTEN, None, None, None, None),  # how often it reports is not worth a packet
        (SLOW, FAST, None, Kind.COA, FAST, None),
        (SLOW, FAST, FAST, Kind.COA, FAST, None),  # the queue knows that it has it
        (SLOW, POOL, None, Kind.DISCONNECT, POOL, None),
        (SLOW, SUSPENDED, None, Kind.DISCONNECT, GONE, None),
        (SLOW, SLOW, FAST, Kind.COA, SLOW, None),  # changed back before it was sent, or while it is
        (SLOW, SLOW, GONE, Kind.COA, SLOW, None),
        (None, FAST, None, None, None, FAST),
        (None, SUSPENDED, None, Kind.DISCONNECT, GONE, None),
        (None, FAST, GONE, Kind.COA, FAST, FAST),
    ],
)
def test_a_session_gets_what_it_lacks(
    granted: bytes | None,
    due: bytes | Reject,
    wished: bytes | None,
    kind: Kind | None,
    wanted: bytes | None,
    known: bytes | None,
) -> None:
    need = judge_session(SESSION._replace(granted=granted), due, wished)
    assert (need.wish and need.wish.kind, need.wish.due if need.wish else None) == (kind, wanted)
    assert need.known == (Grant(1, 11, "81000001", "anna", UUID(int=1), known) if known is not None else None)


def test_a_wish_says_whose_it_is_and_why() -> None:
    wish = judge_session(SESSION, SUSPENDED, None).wish
    assert wish is not None
    assert wish[:6] == (1, 11, 7, UUID(int=1), "81000001", "node1")
    assert (wish.cause, wish.why) == ("suspended", "The customer may not be online any more: suspended.")


def directory(*customers: Customer, plan: ServicePlan = PLAN, isp: Isp | None = None) -> Directory:
    found = Directory()
    found.load(Snapshot([isp or Isp(1, "one")], [], [plan], list(customers)))
    return found


def rejected(due: bytes | Reject) -> str | None:
    return due.reason if isinstance(due, Reject) else None


def test_what_is_due_is_what_a_login_would_get() -> None:
    assert due_of(SESSION, directory(ANNA), NOW) == SLOW
    elsewhere = CustomerExtras(nas_ids=frozenset({12}))
    assert rejected(due_of(SESSION, directory(replace(ANNA, extras=elsewhere)), NOW)) == "device_not_allowed"
    for mac, reason in ((bytes.fromhex("020000000001"), None), (bytes.fromhex("020000000002"), "mac_not_allowed")):
        locked = replace(ANNA, extras=CustomerExtras(mac_addresses=frozenset({mac})))
        assert rejected(due_of(SESSION, directory(locked), NOW)) == reason


def test_who_is_gone_or_has_no_plan_or_no_isp_has_nothing_due() -> None:
    assert rejected(due_of(SESSION, directory(), NOW)) == "unknown_user"
    assert rejected(due_of(SESSION, directory(replace(ANNA, plan_id=None)), NOW)) == "no_plan"
    assert rejected(due_of(SESSION, directory(ANNA, isp=Isp(1, "one", active=False)), NOW)) == "isp_suspended"
    assert rejected(due_of(SESSION, directory(replace(ANNA, status=CustomerStatus.SUSPENDED)), NOW)) == "suspended"
    assert rejected(due_of(SESSION._replace(isp_id=2), directory(ANNA), NOW)) == "unknown_user"


def test_who_was_renamed_keeps_his_session() -> None:
    renamed = replace(ANNA, username="anita", username_key="anita")
    assert due_of(SESSION, directory(renamed), NOW) == SLOW
