"""The asking side of a NAS: identifiers, retransmission of identical octets, and which replies to believe.

A reply that cannot be believed is ignored, as a router ignores it, and its fault is kept for the error that is raised
when no better one comes.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from radiuscore.testing.udp import Address, UdpSocket
from radiuscore.wire.authenticator import message_authenticators, verify_reply
from radiuscore.wire.codes import Code
from radiuscore.wire.errors import MalformedPacket
from radiuscore.wire.packet import MESSAGE_AUTHENTICATOR, Packet, decode
from radiuscore.wire.secret import SharedSecret

_IDENTIFIERS: Final = 256
_ANSWERS: Final = {
    Code.ACCESS_REQUEST: {Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE},
    Code.ACCOUNTING_REQUEST: {Code.ACCOUNTING_RESPONSE},
    Code.STATUS_SERVER: {Code.ACCESS_ACCEPT, Code.ACCOUNTING_RESPONSE},
}


class NoReply(Exception):
    """The server did not answer any try, or only with replies that a NAS must not believe.

    ``ignored`` has one line for each such reply: what is wrong with it.
    """

    def __init__(self, message: str, ignored: tuple[str, ...]) -> None:
        super().__init__(message)
        self.ignored = ignored


class _Question:
    """One request that waits for its reply."""

    def __init__(self, datagram: bytes) -> None:
        self.datagram: Final = datagram
        self.reply: Final[asyncio.Future[Packet]] = asyncio.get_running_loop().create_future()
        self.ignored: Final[list[str]] = []


class Link:
    """One socket that asks RADIUS servers. At most 256 requests wait at once for one server; more wait their turn.

    ``signed_only``: an answer to an Access-Request is believed only if Message-Authenticator is its first attribute.
    """

    def __init__(self, secret: SharedSecret, signed_only: bool, tries: int, timeout_s: float) -> None:
        self.sent = 0
        self.socket: Final = UdpSocket(self._on_datagram)
        self._secret = secret
        self._signed_only = signed_only
        self._tries = tries
        self._timeout_s = timeout_s
        self._questions: dict[tuple[Address, int], _Question] = {}
        self._turns: dict[Address, asyncio.Semaphore] = {}
        self._next_identifier = 0

    async def ask(self, server: Address, build: Callable[[int], bytes]) -> Packet:
        """Return the server's reply to the request that ``build`` makes, given its identifier.

        Every try sends the same octets and waits as long. Raises `NoReply`. Safe to cancel.
        """
        async with self._turns.setdefault(server, asyncio.Semaphore(_IDENTIFIERS)):
            key = server, self._free_identifier(server)
            question = self._questions[key] = _Question(build(key[1]))
            try:
                for _ in range(self._tries):
                    self.sent += 1
                    await self.socket.send(question.datagram, server)
                    await asyncio.wait({question.reply}, timeout=self._timeout_s)
                    if question.reply.done():
                        return question.reply.result()
                raise self._no_reply(server, question)
            finally:
                del self._questions[key]

    def _free_identifier(self, server: Address) -> int:
        identifier = self._next_identifier
        while (server, identifier) in self._questions:
            identifier = (identifier + 1) % _IDENTIFIERS
        self._next_identifier = (identifier + 1) % _IDENTIFIERS
        return identifier

    def _on_datagram(self, datagram: bytes, server: Address) -> None:
        question = self._questions.get((server, datagram[1])) if len(datagram) > 1 else None
        if question is None or question.reply.done():
            return
        judged = self._judge(datagram, question.datagram)
        if isinstance(judged, Packet):
            question.reply.set_result(judged)
        else:
            question.ignored.append(judged)

    def _judge(self, datagram: bytes, request: bytes) -> Packet | str:
        """Return the reply, or what is wrong with it."""
        try:
            packet = decode(datagram)
        except MalformedPacket as error:
            return f"it is malformed: {error}"
        asked = Code(request[0])
        if packet.code not in _ANSWERS[asked]:
            return f"code {packet.code} does not answer {asked.name}"
        if not verify_reply(datagram, request, self._secret):
            return "its authenticator is wrong: the server has another shared secret for this router"
        if self._signed_only and asked is Code.ACCESS_REQUEST:
            if not message_authenticators(packet):
                return "it has no Message-Authenticator"
            if packet.attributes[0][0] != MESSAGE_AUTHENTICATOR:
                return "its Message-Authenticator is not the first attribute"
        return packet

    def _no_reply(self, server: Address, question: _Question) -> NoReply:
        ignored = tuple(question.ignored)
        told = f"; {len(ignored)} replies came and were ignored, the last because {ignored[-1]}" if ignored else ""
        asked = f"{Code(question.datagram[0]).name}, sent {self._tries} times, {self._timeout_s:g} s apart"
        return NoReply(f"{server[0]} port {server[1]} did not answer {asked}{told}", ignored)
