"""From a reaction and its session to what is sent, and from an answer to what is written."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from mgmt.react.errand import (
    RETRY_AFTER_S,
    Errand,
    SendChange,
    SendDisconnect,
    Settled,
    errand_of,
    final_state,
    retry_after_s,
    tried,
)
from mgmt.react.judging import GONE
from mgmt.store.reactions import Kind, State, Taken
from radiuscore.aaa.dynauth import ReactionResult
from radiuscore.store.granted import TargetSession
from radiuscore.wire.mikrotik import MIKROTIK_ADDRESS_LIST, MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.rfc import FRAMED_POOL

SLOW, FAST = (encode_attributes([MIKROTIK_RATE_LIMIT(rate)]) for rate in ("10M/10M", "50M/50M"))
LISTED = FAST + encode_attributes([MIKROTIK_ADDRESS_LIST("vip")])
POOL = SLOW + encode_attributes([FRAMED_POOL("homes")])
SESSION = TargetSession(1, 11, "81000001", "anna", UUID(int=1), 7, "anna", "open", SLOW, None, None, None, None)
WISH = Taken(
    1, 1, 11, 7, UUID(int=1), "81000001", Kind.COA, "service_changed", b"", FAST, 1, datetime(2026, 1, 1, tzinfo=UTC)
)
ASKED = WISH._replace(due=None)


def state_of(errand: Errand) -> object:
    return errand.state if isinstance(errand, Settled) else errand


@pytest.mark.parametrize(
    ("taken", "granted", "expected"),
    [
        (WISH, SLOW, SendChange(FAST)),
        (WISH, LISTED, SendDisconnect()),  # an address list is added by CoA, and taken away by a new login
        (WISH._replace(due=LISTED), SLOW, SendChange(LISTED)),
        (WISH._replace(due=POOL), SLOW, SendDisconnect()),
        (WISH._replace(due=GONE), SLOW, SendDisconnect()),
        (WISH, FAST, State.CANCELLED),
        (WISH._replace(attempts=2), FAST, State.DONE),
        (WISH, None, State.CANCELLED),
        (WISH._replace(due=GONE), None, SendDisconnect()),
        (ASKED._replace(attributes=FAST), FAST, SendChange(FAST)),
        (ASKED._replace(kind=Kind.DISCONNECT), FAST, SendDisconnect()),
    ],
)
def test_what_is_sent_is_what_the_session_lacks_now(taken: Taken, granted: bytes | None, expected: object) -> None:
    assert state_of(errand_of(taken, SESSION._replace(granted=granted))) == expected


@pytest.mark.parametrize("session", [None, SESSION._replace(state="closed")])
@pytest.mark.parametrize("taken", [WISH, ASKED])
def test_a_session_that_is_over_is_not_asked_about(taken: Taken, session: TargetSession | None) -> None:
    errand = errand_of(taken, session)
    assert isinstance(errand, Settled)
    assert (errand.state, errand.tried.result) == (State.DONE, ReactionResult.ALREADY_GONE)


@pytest.mark.parametrize(
    ("taken", "result", "after_s"),
    [
        (WISH, ReactionResult.NO_ANSWER, RETRY_AFTER_S[0]),
        (WISH._replace(attempts=3), ReactionResult.NO_ANSWER, RETRY_AFTER_S[2]),
        (WISH._replace(attempts=4), ReactionResult.NO_ANSWER, None),
        (WISH, None, RETRY_AFTER_S[0]),
        (WISH, ReactionResult.REFUSED, None),
        (WISH, ReactionResult.APPLIED, None),
        (WISH, ReactionResult.DISCONNECTED, None),
        (WISH, ReactionResult.ALREADY_GONE, None),
        (ASKED, ReactionResult.NO_ANSWER, None),
        (ASKED, None, None),
    ],
)
def test_only_a_wish_that_got_no_answer_is_tried_again(
    taken: Taken, result: ReactionResult | None, after_s: float | None
) -> None:
    assert retry_after_s(taken, result) == after_s


@pytest.mark.parametrize("result", [*ReactionResult, None])
def test_a_reaction_is_done_or_has_failed(result: ReactionResult | None) -> None:
    failed = result in (ReactionResult.REFUSED, ReactionResult.NO_ANSWER, None)
    assert final_state(result) is (State.FAILED if failed else State.DONE)


def test_what_went_wrong_is_a_sentence() -> None:
    assert tried(Kind.COA, ReactionResult.APPLIED, None, 0).detail is None
    refused = tried(Kind.COA, ReactionResult.REFUSED, 402, 0)
    assert (refused.error_cause, "needs to know more" in str(refused.detail)) == (402, True)
    assert "another secret" in str(tried(Kind.COA, ReactionResult.NO_ANSWER, None, 3).detail)
    assert "/radius list" in str(tried(Kind.COA, ReactionResult.NO_ANSWER, None, 0).detail)
