"""What one reaction comes to at its session, and what follows from the router's answer. Pure."""

from typing import Final, NamedTuple, TypeAlias

from mgmt.react.judging import GONE
from mgmt.store.reactions import Kind, State, Taken, Tried
from radiuscore.aaa.dynauth import LiveSession, ReactionResult, refusal_text, silence_text
from radiuscore.aaa.reaction import Change, Nothing, plan_reaction
from radiuscore.store.granted import TargetSession

RETRY_AFTER_S: Final = (15.0, 60.0, 240.0)  # a router that restarts is back in a minute or four

_FINAL: Final = frozenset({ReactionResult.APPLIED, ReactionResult.DISCONNECTED, ReactionResult.ALREADY_GONE})


class SendChange(NamedTuple):
    """Ask the NAS to change these attributes, encoded."""

    attributes: bytes


class SendDisconnect(NamedTuple):
    """Ask the NAS to end the session."""


class Settled(NamedTuple):
    """Nothing is to be sent: the session is over, or has what it should have."""

    state: State
    tried: Tried


Errand: TypeAlias = SendChange | SendDisconnect | Settled


def errand_of(taken: Taken, session: TargetSession | None) -> Errand:
    """Return what is to be done for a reaction, given its session as it is now.

    A wish is compared anew: what was sent meanwhile may have fulfilled it, or made another difference of it.
    """
    if session is None or session.state == "closed":
        gone = Tried(taken.kind, ReactionResult.ALREADY_GONE, None, "The session had ended before it was asked for.")
        return Settled(State.DONE, gone)
    if taken.due is None:
        return SendDisconnect() if taken.kind is Kind.DISCONNECT else SendChange(taken.attributes)
    if taken.due == GONE:
        return SendDisconnect()
    match plan_reaction(session.granted if session.granted is not None else taken.due, taken.due):
        case Change(attributes):
            return SendChange(attributes)
        case Nothing():
            if taken.attempts > 1:  # a try whose answer was not written down any more
                return Settled(State.DONE, Tried(taken.kind, ReactionResult.APPLIED))
            return Settled(State.CANCELLED, Tried(taken.kind, None, None, "The session has what it should have."))
    return SendDisconnect()


def live_session(session: TargetSession) -> LiveSession:
    """Return a session as its NAS is told which one is meant."""
    return LiveSession(
        session.isp_id,
        session.nas_id,
        session.username,
        session.acct_session_id,
        session.framed_ip_address,
        session.nas_ip_address,
    )


def tried(kind: Kind, result: ReactionResult, error_cause: int | None, badly_signed: int) -> Tried:
    """Return what came of asking, with a sentence for staff where it went wrong."""
    match result:
        case ReactionResult.REFUSED:
            return Tried(kind, result, error_cause, refusal_text(error_cause))
        case ReactionResult.NO_ANSWER:
            return Tried(kind, result, error_cause, silence_text(badly_signed))
    return Tried(kind, result, error_cause)


def retry_after_s(taken: Taken, result: ReactionResult | None) -> float | None:
    """Return when to try again (seconds from now); ``None`` where that is not to be.

    Only a wish is tried again, and only where the router said nothing or nothing could be sent: who asked for something
    by hand is told and decides himself, and a router that refused would refuse again.
    """
    if taken.due is None or result in _FINAL or result is ReactionResult.REFUSED:
        return None
    return RETRY_AFTER_S[taken.attempts - 1] if taken.attempts <= len(RETRY_AFTER_S) else None


def final_state(result: ReactionResult | None) -> State:
    """Return how a reaction ends whose last try had this result."""
    return State.DONE if result in _FINAL else State.FAILED
