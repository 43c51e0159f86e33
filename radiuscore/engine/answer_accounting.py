"""Accounting-Request to Accounting-Response: an event is acknowledged once somebody has made it durable, never before.

A status type that says nothing of a session (tunnels, vendors' own) is acknowledged, counted and not stored: asked
again, the NAS could only say the same. One without Acct-Status-Type is not an accounting record and gets no answer.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from radiuscore.aaa.accounting import STORED, AccountingEvent, read_event, read_status
from radiuscore.engine.counters import Counters
from radiuscore.engine.exchange import Exchange, Pending
from radiuscore.wire.codes import AcctStatusType, Code
from radiuscore.wire.errors import Discard
from radiuscore.wire.packet import encode_attributes, encode_reply

AccountingHandler: TypeAlias = Callable[[AccountingEvent], Awaitable[Any]]

_PROXY_STATE: Final = 33
_RESPONSE: Final = int(Code.ACCOUNTING_RESPONSE)


class AccountingAnswerer:
    """Answers Accounting-Requests once a handler has made them durable."""

    __slots__ = ("_counters", "_record")

    def __init__(self, record: AccountingHandler, counters: Counters) -> None:
        self._record = record
        self._counters = counters

    def __call__(self, exchange: Exchange) -> bytes | Discard | Pending:
        status = read_status(exchange.first)
        if status is None:
            return Discard.NOT_HANDLED
        if status not in STORED:
            self._counters.not_stored += 1
            return acknowledge(exchange)
        event = read_event(
            exchange.first,
            exchange.entry.nas,
            AcctStatusType(status),
            exchange.now.epoch,
            _text_of(exchange.local),
            _text_of(exchange.source[2:]),
        )
        return Pending(self._record(event), lambda _: acknowledge(exchange), lambda reason: reason)


@lru_cache(maxsize=4096)
def _text_of(address: bytes) -> str | None:
    """Return an address as text. Those of this machine and its NASes are few, and to make one per event is work."""
    return str(ip_address(address)) if address else None


def acknowledge(exchange: Exchange) -> bytes:
    """Return the Accounting-Response: the request's Proxy-States and nothing else (RFC 2866 §4.2)."""
    packet = exchange.packet
    states = b""
    if _PROXY_STATE in exchange.first:
        states = encode_attributes(pair for pair in packet.attributes if pair[0] == _PROXY_STATE)
    return encode_reply(_RESPONSE, packet.identifier, packet.authenticator, states, exchange.secret, sign=False)
