"""A decision on an Access-Request is a value: `Accept` or `Reject`, with a reason from a closed set."""

from enum import StrEnum
from typing import Final

from radiuscore.wire.packet import Pair, encode_attributes


class RejectReason(StrEnum):
    """Why a customer was rejected. The values stand in the auth log, in counters and in answers to staff."""

    UNKNOWN_USER = "unknown_user"
    BAD_CREDENTIALS = "bad_credentials"
    NO_CREDENTIALS = "no_credentials"
    UNSUPPORTED_METHOD = "unsupported_method"
    BAD_REQUEST = "bad_request"
    ISP_SUSPENDED = "isp_suspended"
    SUSPENDED = "suspended"
    UNPAID = "unpaid"
    EXPIRED = "expired"
    NO_PLAN = "no_plan"
    MAC_NOT_ALLOWED = "mac_not_allowed"
    DEVICE_NOT_ALLOWED = "device_not_allowed"
    OUTSIDE_LOGIN_HOURS = "outside_login_hours"
    QUOTA_EXHAUSTED = "quota_exhausted"
    TOO_MANY_SESSIONS = "too_many_sessions"
    POOL_EXHAUSTED = "pool_exhausted"
    REPLY_TOO_LONG = "reply_too_long"


class Accept:
    """Let the customer in, with these attributes: pairs, or octets that are encoded already."""

    __slots__ = ("attributes",)

    def __init__(self, *attributes: Pair | bytes) -> None:
        self.attributes: Final = (
            attributes[0]
            if len(attributes) == 1 and isinstance(attributes[0], bytes)
            else b"".join([part if isinstance(part, bytes) else encode_attributes((part,)) for part in attributes])
        )

    def __repr__(self) -> str:
        return f"Accept({len(self.attributes)} octets)"


class Reject:
    """Keep the customer out. ``reason`` is for staff and counters; only ``message`` reaches the customer."""

    __slots__ = ("message", "reason")

    def __init__(self, reason: str, message: str = "") -> None:
        self.reason: Final = reason
        self.message: Final = message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reject) and (self.reason, self.message) == (other.reason, other.message)

    def __hash__(self) -> int:
        return hash((self.reason, self.message))

    def __repr__(self) -> str:
        return f"Reject({str(self.reason)!r})"
