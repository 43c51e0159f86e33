"""The smallest thing that gives a live session what it should have: nothing, a CoA-Request, or its end.

Which attributes RouterOS changes while a session is up is one table (RouterOS manual, RADIUS, Change of Authorization;
Mikrotik-Address-List from the field). What is not in it means a new login, and what counts from the next one is named.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from radiuscore.aaa.decisions import Reject
from radiuscore.wire import microsoft, mikrotik, rfc, tunnel
from radiuscore.wire.ascend import ASCEND_DATA_RATE, ASCEND_XMIT_RATE
from radiuscore.wire.attributes import Key, TypedAttribute
from radiuscore.wire.leaves import read_leaves
from radiuscore.wire.mikrotik import (
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_ADVERTISE_INTERVAL,
    MIKROTIK_ADVERTISE_URL,
    MIKROTIK_GROUP,
    MIKROTIK_MARK_ID,
    MIKROTIK_RATE_LIMIT,
    MIKROTIK_RECV_LIMIT,
    MIKROTIK_RECV_LIMIT_GIGAWORDS,
    MIKROTIK_XMIT_LIMIT,
    MIKROTIK_XMIT_LIMIT_GIGAWORDS,
)
from radiuscore.wire.packet import Pair, decode, encode_attributes
from radiuscore.wire.registry import STANDARD
from radiuscore.wire.rfc import FILTER_ID, IDLE_TIMEOUT, PORT_LIMIT, SESSION_TIMEOUT

ROUNDING_S: Final = 2  # two ways to one deadline, each cut to a second
AS_GOOD_AS_NEVER_S: Final = 365 * 86_400  # fits 32 bits even of hundredths; what 0 does differs from router to router
AS_GOOD_AS_UNLIMITED: Final = (1 << 50) - 1  # octets; neither half is 0, which some would read as no octets at all
UNLIMITED_RATE: Final = "0/0"

Reply: TypeAlias = bytes | Sequence[Pair]
"""The attributes of an Access-Accept, encoded or not."""
Values: TypeAlias = dict[Key, tuple[bytes, ...]]


class Nothing(NamedTuple):
    """The session has what it should have; what else is new counts from its next login."""


class Change(NamedTuple):
    """A CoA-Request with these attributes, encoded, gives the session what it should have."""

    attributes: bytes


class Disconnect(NamedTuple):
    """Only a new login gives the customer what he should have, or he should have nothing. ``why`` is a sentence."""

    why: str


Reaction: TypeAlias = Nothing | Change | Disconnect


def plan_reaction(old: Reply, new: Reply | Reject) -> Reaction:
    """Return how a live session that was given ``old`` gets ``new``.

    Both replies are as of the session's beginning: Session-Timeout and limits of octets count from there, in them as in
    the CoA-Request (RFC 2865 §5.27). An attribute that is gone is set to what has the same effect, where there is such
    a value; a router's own default, which would count without it, is not known here.
    """
    if isinstance(new, Reject):
        return Disconnect(f"The customer may not be online any more: {new.reason}.")
    before, after = attributes_of(old), attributes_of(new)
    changes: list[Pair] = []
    fixed = [key for key in dict.fromkeys((*before, *after)) if key not in CHANGEABLE and key not in _NEXT_LOGIN]
    obstacles = [key for key in fixed if before.get(key) != after.get(key)]
    for keys, change in _CHANGES:
        if any(before.get(key) != after.get(key) for key in keys):
            pairs = change(before, after)
            if pairs is None:
                obstacles += keys[:1]
            else:
                changes += pairs
    if obstacles:
        return Disconnect(f"{_names(obstacles)} cannot be changed while the session is up.")
    return Change(encode_attributes(changes)) if changes else Nothing()


def attributes_of(reply: Reply) -> Values:
    """Return the values of each attribute of a reply, in octets and in their order; empty ones are absent."""
    pairs = _decode(reply) if isinstance(reply, bytes) else reply
    values: Values = {}
    for key, octets in read_leaves(pairs):
        if octets:
            values[key] = (*values.get(key, ()), octets)
    return values


def name_of(key: Key) -> str:
    """Return what people call an attribute."""
    attribute = STANDARD.by_key(key)
    return attribute.name if attribute is not None else "Attr-" + ".".join(map(str, key))


def _decode(octets: bytes) -> Sequence[Pair]:
    """Return encoded attributes as pairs. The header is any: what is decoded is a packet."""
    return decode(b"\x02\0" + (20 + len(octets)).to_bytes(2, "big") + bytes(16) + octets).attributes


def _names(keys: Sequence[Key]) -> str:
    return ", ".join(map(name_of, keys))


# How one part of a reply is changed: the pairs to send, none where it need not be, `None` where it cannot be.
_Change: TypeAlias = Callable[[Values, Values], "list[Pair] | None"]


def _replace(attribute: TypedAttribute[str] | TypedAttribute[int]) -> _Change:
    """Send all values as they should be. There is no value that means none."""
    key = attribute.key

    def change(_: Values, after: Values) -> list[Pair] | None:
        return [_pair(key, octets) for octets in after[key]] if key in after else None

    return change


def _change_rate(before: Values, after: Values) -> list[Pair] | None:
    """Mikrotik-Rate-Limit goes before the two of Ascend, so these cannot take its place while the session is up."""
    rate, ascend = MIKROTIK_RATE_LIMIT.key, [key for key in _ASCEND if key in after]
    if rate in after:
        return [] if before.get(rate) == after[rate] else [_pair(rate, octets) for octets in after[rate]]
    if not ascend:
        return [MIKROTIK_RATE_LIMIT(UNLIMITED_RATE)]
    if rate in before or any(key in before and key not in after for key in _ASCEND):
        return None
    return [_pair(key, octets) for key in ascend for octets in after[key]]


def _change_session_timeout(before: Values, after: Values) -> list[Pair] | None:
    old, new = _integer(before, SESSION_TIMEOUT), _integer(after, SESSION_TIMEOUT)
    if old == new or (old and new and abs(old - new) <= ROUNDING_S):
        return []
    return [SESSION_TIMEOUT(new or AS_GOOD_AS_NEVER_S)]


def _change_idle_timeout(_: Values, after: Values) -> list[Pair] | None:
    return [IDLE_TIMEOUT(_integer(after, IDLE_TIMEOUT) or AS_GOOD_AS_NEVER_S)]


def _limit(low: TypedAttribute[int], gigawords: TypedAttribute[int]) -> _Change:
    """Send both halves of a limit, whichever differs: the router might join a new one with an old one."""

    def change(_: Values, after: Values) -> list[Pair] | None:
        octets = AS_GOOD_AS_UNLIMITED
        if low.key in after or gigawords.key in after:
            octets = _integer(after, low) | _integer(after, gigawords) << 32
        return [low(octets & 0xFFFFFFFF), gigawords(octets >> 32)]

    return change


def _integer(values: Values, attribute: TypedAttribute[int]) -> int:
    """Return the value that counts, 0 where there is none."""
    octets = values.get(attribute.key)
    return (attribute.parse(octets[0]) or 0) if octets else 0


def _pair(key: Key, octets: bytes) -> Pair:
    if len(key) == 1:
        return key[0], octets
    kind, vendor, number = key
    return kind, vendor.to_bytes(4, "big") + bytes((number, len(octets) + 2)) + octets


_ASCEND: Final = (ASCEND_DATA_RATE.key, ASCEND_XMIT_RATE.key)
_RECV: Final = (MIKROTIK_RECV_LIMIT, MIKROTIK_RECV_LIMIT_GIGAWORDS)
_XMIT: Final = (MIKROTIK_XMIT_LIMIT, MIKROTIK_XMIT_LIMIT_GIGAWORDS)
_REPLACED: Final = (
    MIKROTIK_ADDRESS_LIST,
    MIKROTIK_GROUP,
    MIKROTIK_MARK_ID,
    FILTER_ID,
    MIKROTIK_ADVERTISE_URL,
    MIKROTIK_ADVERTISE_INTERVAL,
    PORT_LIMIT,
)
_CHANGES: Final[Sequence[tuple[tuple[Key, ...], _Change]]] = (
    ((MIKROTIK_RATE_LIMIT.key, *_ASCEND), _change_rate),
    ((SESSION_TIMEOUT.key,), _change_session_timeout),
    ((IDLE_TIMEOUT.key,), _change_idle_timeout),
    (tuple(half.key for half in _RECV), _limit(*_RECV)),
    (tuple(half.key for half in _XMIT), _limit(*_XMIT)),
    *(((attribute.key,), _replace(attribute)) for attribute in _REPLACED),
)
CHANGEABLE: Final = frozenset(key for keys, _ in _CHANGES for key in keys)
"""What RouterOS changes while a session is up."""

# What differs between any two logins, what says nothing of the session, and what is not worth its end: how often it
# reports, and Mikrotik-Total-Limit, which RouterOS does not document as changeable. A total that grew ends the session
# once, early, as a disconnect now would; one that shrank is enforced by interims.
_NEXT_LOGIN: Final = frozenset(
    attribute.key
    for attribute in (
        rfc.CLASS,
        rfc.STATE,
        rfc.PROXY_STATE,
        rfc.MESSAGE_AUTHENTICATOR,
        rfc.REPLY_MESSAGE,
        rfc.EAP_MESSAGE,
        rfc.ACCT_INTERIM_INTERVAL,
        tunnel.TUNNEL_PASSWORD,
        mikrotik.MIKROTIK_TOTAL_LIMIT,
        mikrotik.MIKROTIK_TOTAL_LIMIT_GIGAWORDS,
        microsoft.MS_CHAP2_SUCCESS,
        microsoft.MS_CHAP_MPPE_KEYS,
        microsoft.MS_MPPE_SEND_KEY,
        microsoft.MS_MPPE_RECV_KEY,
        microsoft.MS_MPPE_ENCRYPTION_POLICY,
        microsoft.MS_MPPE_ENCRYPTION_TYPES,
    )
)
