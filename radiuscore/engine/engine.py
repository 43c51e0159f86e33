"""The RADIUS server without sockets: two ports, three kinds of request, and the handlers that decide.

The ISP server and a library's own server are this same engine; they differ in the handlers they hand in.
"""

from collections.abc import Callable
from functools import partial
from os import urandom
from typing import Final

from radiuscore.engine.answer_access import AccessAnswerer, AccessHandler, Random
from radiuscore.engine.answer_accounting import AccountingAnswerer, AccountingHandler
from radiuscore.engine.counters import Counters
from radiuscore.engine.exchange import Exchange
from radiuscore.engine.port import DeviceObserver, Port
from radiuscore.state.nastable import NasTable
from radiuscore.state.ntkeys import NtKeyCache
from radiuscore.wire.codes import Code
from radiuscore.wire.errors import Discard
from radiuscore.wire.packet import encode_attributes, encode_reply

_PROXY_STATE: Final = 33


class Engine:
    """Answers datagrams of the authentication port (``auth``) and the accounting port (``acct``).

    ``access`` decides an Access-Request: a plain function stays on the hot path, an awaitable leaves it.
    ``accounting`` returns an awaitable; the record is acknowledged when that is done, and not if it raises.
    Status-Server is answered only while the server can do real work (RFC 5997 §4.2): ``ready`` says so of logins,
    ``durable`` of accounting.
    """

    __slots__ = ("acct", "auth", "nases")

    def __init__(
        self,
        nases: NasTable,
        *,
        access: AccessHandler,
        accounting: AccountingHandler,
        ready: Callable[[], bool] = lambda: True,
        durable: Callable[[], bool] = lambda: True,
        observer: DeviceObserver | None = None,
        random: Random = urandom,
    ) -> None:
        self.nases: Final = nases
        counters = Counters()
        self.auth: Final = Port(
            nases,
            {
                Code.ACCESS_REQUEST: AccessAnswerer(access, NtKeyCache(), random, counters, self._note_proof),
                Code.STATUS_SERVER: partial(_answer_status, ready, Code.ACCESS_ACCEPT),
            },
            observer,
            counters,
        )
        counters = Counters()
        self.acct: Final = Port(
            nases,
            {
                Code.ACCOUNTING_REQUEST: AccountingAnswerer(accounting, counters),
                Code.STATUS_SERVER: partial(_answer_status, durable, Code.ACCOUNTING_RESPONSE),
            },
            observer,
            counters,
        )

    def _note_proof(self, exchange: Exchange) -> None:
        self.auth.note_proof(exchange)


def _answer_status(ready: Callable[[], bool], code: Code, exchange: Exchange) -> bytes | Discard:
    """Answer Status-Server (RFC 5997 §3): Access-Accept here, Accounting-Response there, no attribute of a user."""
    if not ready():
        return Discard.NOT_HANDLED
    packet = exchange.packet
    states = encode_attributes(pair for pair in packet.attributes if pair[0] == _PROXY_STATE)
    return encode_reply(
        code, packet.identifier, packet.authenticator, states, exchange.secret, sign=code is Code.ACCESS_ACCEPT
    )
