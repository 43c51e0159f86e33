"""The NAS as Dynamic Authorization Server: it ends or changes a session when the RADIUS server asks (RFC 5176).

As RouterOS, it answers only its RADIUS servers and only what their secret signed; to all else it is silent.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from time import monotonic, time
from typing import Final, NamedTuple, TypeAlias

from radiuscore.state.dedup import DuplicateTable
from radiuscore.state.moment import Moment
from radiuscore.testing.session import FakeSession
from radiuscore.testing.udp import Address, UdpSocket
from radiuscore.wire.authenticator import is_signed_request, message_authenticators, verify_message_authenticator
from radiuscore.wire.codes import Code, ErrorCause
from radiuscore.wire.errors import MalformedPacket
from radiuscore.wire.packet import Packet, Pair, decode, encode_attributes, encode_reply
from radiuscore.wire.rfc import ACCT_SESSION_ID, ERROR_CAUSE, FRAMED_IP_ADDRESS, PROXY_STATE, USER_NAME
from radiuscore.wire.secret import SharedSecret


class DynAuthRequest(NamedTuple):
    """A CoA-Request or Disconnect-Request whose signature is right, and the session it means, if there is one."""

    packet: Packet
    source: Address
    session: FakeSession | None

    @property
    def is_disconnect(self) -> bool:
        return self.packet.code == Code.DISCONNECT_REQUEST


class Ack(NamedTuple):
    """The request was carried out. RouterOS's has no attributes."""

    attributes: tuple[Pair, ...] = ()


class Nak(NamedTuple):
    """The request was refused."""

    error_cause: ErrorCause | None = None


Answer: TypeAlias = Ack | Nak | None
"""``None`` is silence: a firewall, a wrong port, a router that is off."""
Answerer: TypeAlias = Callable[[DynAuthRequest], Answer]

_CODES: Final = {
    Code.DISCONNECT_REQUEST: (Code.DISCONNECT_ACK, Code.DISCONNECT_NAK),
    Code.COA_REQUEST: (Code.COA_ACK, Code.COA_NAK),
}


def answer_as_routeros(request: DynAuthRequest) -> Answer:
    """Carry the request out on the session that all its identifying attributes fit."""
    if not _identifies(request.packet):
        return Nak(ErrorCause.MISSING_ATTRIBUTE)
    if request.session is None:
        return Nak(ErrorCause.SESSION_CONTEXT_NOT_FOUND)
    if request.is_disconnect:
        request.session.hang_up()
    else:
        request.session.changes.append(request.packet)
    return Ack()


def find_session(packet: Packet, sessions: Iterable[FakeSession]) -> FakeSession | None:
    """Return the session that User-Name, Acct-Session-Id and Framed-IP-Address all fit, of those that are there."""
    name, acct_session_id = USER_NAME.first(packet), ACCT_SESSION_ID.first(packet)
    address = FRAMED_IP_ADDRESS.first(packet)
    for session in sessions:
        if (
            name in (None, session.username)
            and acct_session_id in (None, session.acct_session_id)
            and address in (None, session.framed_ip_address)
        ):
            return session
    return None


class DynAuthPort:
    """The port on which a NAS takes CoA and Disconnect from ``servers``, which are addresses.

    ``ignored`` says why requests got no answer.
    """

    def __init__(
        self, secret: SharedSecret, answer: Answerer, sessions: Mapping[str, FakeSession], servers: frozenset[str]
    ) -> None:
        self.requests: Final[asyncio.Queue[DynAuthRequest]] = asyncio.Queue()
        self.ignored: Final[list[str]] = []
        self.socket: Final = UdpSocket(self._on_datagram)
        self._secret = secret
        self._answer = answer
        self._sessions = sessions
        self._servers = servers
        self._replies = DuplicateTable()

    def _on_datagram(self, datagram: bytes, source: Address) -> bytes | None:
        try:
            packet = decode(datagram)
        except MalformedPacket as error:
            self.ignored.append(f"malformed: {error}")
            return None
        fault = self._fault(datagram, packet, source)
        if fault is not None:
            self.ignored.append(fault)
            return None
        return self._reply(packet, source)

    def _fault(self, datagram: bytes, packet: Packet, source: Address) -> str | None:
        if packet.code not in _CODES:
            return f"code {packet.code} is neither a CoA-Request nor a Disconnect-Request"
        if source[0] not in self._servers:
            return f"{source[0]} is none of this router's RADIUS servers"
        if not is_signed_request(datagram, self._secret):
            return "its authenticator is wrong: it was made with another shared secret"
        if message_authenticators(packet) and not verify_message_authenticator(datagram, packet, self._secret):
            return "its Message-Authenticator is wrong"
        return None

    def _reply(self, packet: Packet, source: Address) -> bytes | None:
        """Answer a request; a retransmission gets the same octets and is not carried out again (RFC 5080 §2.2.2)."""
        key = f"{source[0]} {source[1]} {packet.code} {packet.identifier}".encode()
        now = Moment(monotonic(), time())
        known = self._replies.find(key, packet.authenticator, now)
        if known is not None:
            return known[1]
        request = DynAuthRequest(packet, source, find_session(packet, self._sessions.values()))
        answer = self._answer(request)
        self.requests.put_nowait(request)
        reply = None if answer is None else self._encode(packet, answer)
        if reply is not None:
            self._replies.remember(key, packet.authenticator, reply, now)
        return reply

    def _encode(self, packet: Packet, answer: Ack | Nak) -> bytes:
        ack, nak = _CODES[Code(packet.code)]
        pairs = [PROXY_STATE(state) for state in PROXY_STATE.all(packet)]
        if isinstance(answer, Ack):
            pairs += answer.attributes
        elif answer.error_cause is not None:
            pairs.append(ERROR_CAUSE(answer.error_cause))
        code = ack if isinstance(answer, Ack) else nak
        octets = encode_attributes(pairs)
        return encode_reply(code, packet.identifier, packet.authenticator, octets, self._secret, sign=False)


def _identifies(packet: Packet) -> bool:
    return any(one.first(packet) is not None for one in (USER_NAME, ACCT_SESSION_ID, FRAMED_IP_ADDRESS))
