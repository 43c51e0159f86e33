"""What a doctor's check says, and what it says it of. Values only; the checks are in `doctor` and `doctor_radius`."""

from dataclasses import dataclass
from enum import Enum

from mikrotik.facts import RouterFacts
from mikrotik.intent import RadiusIntent
from mikrotik.records import RadiusServerEntry, RadiusSettings


class Status(Enum):
    """The outcome of one check."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class CoaOutcome(Enum):
    """What a CoA-Request that was really sent met."""

    ACK = "ack"
    NAK = "nak"  # an answer: the router hears us, and found no such session
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: ``check`` is its stable name. ``command`` mends a failure when pasted into the router's console.

    It is ``None`` where a person must decide. One that sets the RADIUS secret holds it: show it to its owner only.
    """

    check: str
    status: Status
    message: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What our own side knows: ``signed`` if a Message-Authenticator made with the secret was valid, ``requests`` if
    any packet came lately, ``coa`` what a CoA met. ``None`` is "not known"."""

    signed: bool | None = None
    requests: bool | None = None
    coa: CoaOutcome | None = None


@dataclass(frozen=True, slots=True)
class Case:
    facts: RouterFacts
    wanted: RadiusIntent
    seen: Seen
    radius: RadiusSettings | None
    entry: RadiusServerEntry | None


def passed(check: str, message: str) -> Finding:
    return Finding(check, Status.PASS, message)


def failed(check: str, message: str, command: str | None = None) -> Finding:
    return Finding(check, Status.FAIL, message, command)


def unknown(check: str, message: str) -> Finding:
    return Finding(check, Status.UNKNOWN, message)
