"""What a peer can do wrong on the wire: one closed set of reasons, one error per way of being wrong."""

from enum import Enum


class Discard(Enum):
    """Why a datagram gets no reply. The values label ``radius_discards_total``.

    The set is closed: every silence of the server is one of these, and each has a counter.
    """

    SHORT_PACKET = "short_packet"
    BAD_LENGTH = "bad_length"
    BAD_ATTRIBUTE = "bad_attribute"
    TOO_MANY_ATTRIBUTES = "too_many_attributes"
    UNKNOWN_NAS = "unknown_nas"
    NO_SECRET = "no_secret"
    CODE_NOT_ALLOWED = "code_not_allowed"
    BAD_AUTHENTICATOR = "bad_authenticator"
    BAD_MESSAGE_AUTHENTICATOR = "bad_message_authenticator"
    MISSING_MESSAGE_AUTHENTICATOR = "missing_message_authenticator"
    PROXY_STATE_UNSIGNED = "proxy_state_unsigned"
    AMBIGUOUS_NAS = "ambiguous_nas"
    DUPLICATE_IN_FLIGHT = "duplicate_in_flight"
    REPLACED = "replaced"
    NOT_HANDLED = "not_handled"
    NOT_DURABLE = "not_durable"
    REPLY_TOO_LONG = "reply_too_long"
    OVERLOADED = "overloaded"
    DRAINING = "draining"
    INTERNAL_ERROR = "internal_error"


class MalformedPacket(ValueError):
    """The datagram is not a RADIUS packet, so RFC 2865 §3 says: discard silently.

    ``reason`` is one of a closed set, so it is safe as a metric label.
    ``offset`` is the octet, counted from the start of the datagram, where
    decoding stopped. The message never contains packet content: it may be logged.
    """

    def __init__(self, reason: Discard, offset: int) -> None:
        super().__init__(f"{reason.value} at octet {offset}")
        self.reason = reason
        self.offset = offset


class PacketTooLong(ValueError):
    """What was to be sent does not fit into 4096 octets (RFC 2865 §3); nothing was encoded."""
