"""The sockets of the Dynamic Authorization Client: whose question a datagram answers, and whether to believe it.

One socket has 256 identifiers for each NAS; where more requests wait at once, further sockets have as many again. An
answer is believed from the address and port that was asked, with the identifier and the secret of the question.
"""

import asyncio
import contextlib
import logging
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final, Self, TypeAlias

import asyncio_dgram

from radiuscore.aaa.dynauth import ANSWERS
from radiuscore.wire.authenticator import verify_reply
from radiuscore.wire.errors import MalformedPacket
from radiuscore.wire.packet import HEADER_LENGTH, Packet, decode
from radiuscore.wire.secret import SharedSecret

IDENTIFIERS: Final = 256
_RECEIVE_BUFFER: Final = 1 << 20  # octets, if the system's limit allows: answers to all identifiers come at once

Address: TypeAlias = tuple[str, int]
"""An address in its shortest form, and a port."""

_log: Final = logging.getLogger(__name__)


class ClientClosed(Exception):
    """The client was closed: nobody knows whether the NAS did what it was asked."""


class Ignored(StrEnum):
    """Why a datagram was not taken for an answer."""

    MALFORMED = "malformed"
    NOT_ASKED = "not_asked"
    WRONG_CODE = "wrong_code"
    BAD_AUTHENTICATOR = "bad_authenticator"


class Question:
    """A request that waits for its answer. ``badly_signed`` counts answers that were made with another secret."""

    __slots__ = ("_secret", "answer", "badly_signed", "datagram")

    def __init__(self, datagram: bytes, secret: SharedSecret) -> None:
        self.datagram: Final = datagram
        self.answer: Final[asyncio.Future[Packet]] = asyncio.get_running_loop().create_future()
        self.badly_signed = 0
        self._secret = secret

    def judge(self, datagram: bytes) -> Ignored | None:
        """Take a datagram as the answer, or return why not."""
        try:
            packet = decode(datagram)
        except MalformedPacket:
            return Ignored.MALFORMED
        if packet.code not in ANSWERS[self.datagram[0]]:
            return Ignored.WRONG_CODE
        if not verify_reply(datagram, self.datagram, self._secret):
            self.badly_signed += 1
            return Ignored.BAD_AUTHENTICATOR
        self.answer.set_result(packet)
        return None


class DynAuthSocket:
    """One bound socket, and the questions that wait on it."""

    def __init__(self, stream: Any, note: Callable[[Ignored], None]) -> None:
        self._stream = stream
        self._note = note
        self._questions: dict[tuple[Address, int], Question] = {}
        self._waiting: defaultdict[Address, int] = defaultdict(int)
        self._next_identifier = 0
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, local: str, note: Callable[[Ignored], None]) -> Self:
        """Bind to one of this machine's addresses, or to the wildcard. Raises `OSError`."""
        stream = await asyncio_dgram.bind((local, 0))
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        return cls(stream, note)

    @property
    def alive(self) -> bool:
        return not self._reader.done()

    def has_room(self, nas: Address) -> bool:
        """Tell whether an identifier is free for this NAS."""
        return self.alive and self._waiting.get(nas, 0) < IDENTIFIERS

    @contextmanager
    def question(self, nas: Address, build: Callable[[int], bytes], secret: SharedSecret) -> Iterator[Question]:
        """Ask a NAS something: ``build`` makes the request, given its identifier, which is taken until the end."""
        identifier = self._free_identifier(nas)
        question = self._questions[nas, identifier] = Question(build(identifier), secret)
        self._waiting[nas] += 1
        try:
            yield question
        finally:
            question.answer.cancel()
            del self._questions[nas, identifier]
            self._waiting[nas] -= 1
            if not self._waiting[nas]:
                del self._waiting[nas]

    async def send(self, datagram: bytes, nas: Address) -> None:
        """Send, and if that fails let the datagram be lost like any other: it will be sent again."""
        self._forget_errors()
        with contextlib.suppress(asyncio_dgram.TransportClosed):
            await self._stream.send(datagram, nas)

    async def close(self) -> None:
        """Close the socket; what waits on it is cancelled. Safe to call on a loop that is about to end."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        self._stream.close()
        for question in self._questions.values():
            question.answer.cancel()

    def _free_identifier(self, nas: Address) -> int:
        """Return the identifier that was free for the longest time: a late answer then has nobody to be taken by."""
        identifier = self._next_identifier
        while (nas, identifier) in self._questions:
            identifier = (identifier + 1) % IDENTIFIERS
        self._next_identifier = (identifier + 1) % IDENTIFIERS
        return identifier

    def _forget_errors(self) -> None:
        """Forget what became of earlier datagrams: the stream would raise it now, and send nothing."""
        while True:
            try:
                _ = self._stream.exception
            except OSError as error:
                _log.debug("a request could not be sent: %s", error)
            else:
                return

    async def _read(self) -> None:
        while True:
            try:
                datagram, peer = await self._stream.recv()
            except asyncio_dgram.TransportClosed:
                return
            except OSError:  # ICMP, or a request that could not be sent: no answer yet
                continue
            ignored = self._judge(datagram, plain_address(peer))
            if ignored is not None:
                self._note(ignored)

    def _judge(self, datagram: bytes, peer: Address) -> Ignored | None:
        if len(datagram) < HEADER_LENGTH:
            return Ignored.MALFORMED
        question = self._questions.get((peer, datagram[1]))
        if question is None or question.answer.done():
            return Ignored.NOT_ASKED
        return question.judge(datagram)


class SocketPool:
    """Sockets by the address they are bound to, at most ``limit`` on each; opened when they are needed."""

    def __init__(self, limit: int, note: Callable[[Ignored], None]) -> None:
        self._limit = limit
        self._note = note
        self._sockets: dict[str, list[DynAuthSocket]] = {}
        self._opening = asyncio.Lock()
        self._closed = False

    async def with_room(self, local: str, nas: Address) -> DynAuthSocket:
        """Return a socket that can ask this NAS something right now.

        The caller sees to it that no more than ``limit`` times 256 requests wait for one NAS. Raises `OSError` where no
        socket can be bound, and `ClientClosed`.
        """
        async with self._opening:
            if self._closed:
                raise ClientClosed
            sockets = self._sockets[local] = [one for one in self._sockets.get(local, ()) if one.alive]
            for one in sockets:
                if one.has_room(nas):
                    return one
            assert len(sockets) < self._limit
            opened = await DynAuthSocket.open(local, self._note)
            sockets.append(opened)
            return opened

    async def close(self) -> None:
        """Close all sockets. Safe to call again."""
        async with self._opening:
            self._closed = True
            for sockets in self._sockets.values():
                for one in sockets:
                    await one.close()
            self._sockets.clear()


def plain_address(address: Any) -> Address:
    """Return a socket's address as text in its shortest form, without a zone, and a port."""
    host, port = address[:2]
    return str(ip_address(host.partition("%")[0])), port
