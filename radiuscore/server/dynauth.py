"""The Dynamic Authorization Client (RFC 5176): asks a NAS to change or end a session, and waits for what it says.

A request is signed twice, by its authenticator and by Message-Authenticator, dated by Event-Timestamp, and leaves from
the address to which the router reports: RouterOS answers no other. It is sent to registered devices only, and sent
again with the same octets, so that a NAS carries it out once (RFC 5080 §2.2.2).
"""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, Self, TypeAlias
from weakref import WeakValueDictionary

from radiuscore.aaa.dynauth import Answer, ReactionResult, read_answer
from radiuscore.aaa.records import IspId, NasId
from radiuscore.server.dynauthsocket import (
    IDENTIFIERS,
    Address,
    ClientClosed,
    DynAuthSocket,
    Ignored,
    Question,
    SocketPool,
)
from radiuscore.state.nastable import NasEntry, NasTable
from radiuscore.wire.codes import Code
from radiuscore.wire.packet import encode_attributes, encode_request
from radiuscore.wire.rfc import EVENT_TIMESTAMP
from radiuscore.wire.secret import SharedSecret

WAITS_S: Final = (1.0, 2.0, 4.0)  # after each of three tries; a router with a full queue answers the second one
JITTER: Final = 0.1  # so that what was asked together is not repeated together (RFC 5080 §2.2.1)
MAX_SOCKETS: Final = 4  # for each local address: 1024 requests wait for one NAS at once, and more wait their turn
_SILENCE: Final = Answer(ReactionResult.NO_ANSWER)

IpAddress: TypeAlias = IPv4Address | IPv6Address
MaySendTo: TypeAlias = Callable[[IspId, NasId, IpAddress], bool]
"""Tells whether an address is that of this device of this ISP now."""


class NotSent(Exception):
    """Nothing was sent. The message says why, and may be shown to staff."""


class Target(NamedTuple):
    """The NAS to ask: its address and port for CoA, its secret, and the address of ours that it reports to.

    Without ``local`` the system picks one, which need not be in the router's list of servers.
    """

    isp_id: IspId
    nas_id: NasId
    address: IpAddress
    port: int
    secret: SharedSecret
    local: IpAddress | None = None


class Outcome(NamedTuple):
    """What came of a request. ``error_cause`` is a NAK's; ``tries`` is how often it was sent, over ``seconds``.

    ``badly_signed`` counts answers made with another secret, which were not believed.
    """

    result: ReactionResult
    error_cause: int | None
    tries: int
    seconds: float
    badly_signed: int


class DynAuthCounters:
    """Requests by code, outcomes by result, datagrams that were sent, and those that were no answer, by reason."""

    __slots__ = ("datagrams", "ignored", "requests", "results")

    def __init__(self) -> None:
        self.requests: defaultdict[int, int] = defaultdict(int)
        self.results: defaultdict[ReactionResult, int] = defaultdict(int)
        self.datagrams = 0
        self.ignored: defaultdict[Ignored, int] = defaultdict(int)

    def note_ignored(self, reason: Ignored) -> None:
        self.ignored[reason] += 1


class DynAuthClient:
    """Sends CoA-Requests and Disconnect-Requests::

        async with DynAuthClient(registered_in(nases)) as client:
            outcome = await client.disconnect(target, disconnect_attributes(session))

    ``may_send_to`` is asked right before a request is sent. ``waits_s`` are the seconds to wait after each try, so
    there are as many tries. Requests of one NAS do not hold up those of another.
    """

    def __init__(
        self,
        may_send_to: MaySendTo,
        *,
        waits_s: Sequence[float] = WAITS_S,
        max_sockets: int = MAX_SOCKETS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.counters: Final = DynAuthCounters()
        self._may_send_to = may_send_to
        self._waits_s = tuple(waits_s)
        self._now = now
        self._limit = max_sockets * IDENTIFIERS
        self._pool = SocketPool(max_sockets, self.counters.note_ignored)
        self._turns: WeakValueDictionary[Address, asyncio.Semaphore] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def change(self, target: Target, attributes: bytes) -> Outcome:
        """Send a CoA-Request; ``attributes`` are those of `dynauth.coa_attributes`.

        An ACK says that the NAS took the values, not that it uses them. Raises `NotSent`, `ClientClosed`, and
        `PacketTooLong`. Safe to cancel; the NAS may have been asked by then.
        """
        return await self._ask(Code.COA_REQUEST, target, attributes)

    async def disconnect(self, target: Target, attributes: bytes) -> Outcome:
        """Send a Disconnect-Request; ``attributes`` are those of `dynauth.disconnect_attributes`.

        An ACK says that the session is over; its Stop is reported besides. Raises, and may be cancelled, as `change`.
        """
        return await self._ask(Code.DISCONNECT_REQUEST, target, attributes)

    async def close(self) -> None:
        """Close all sockets; who still waits gets `ClientClosed`. Safe to call again."""
        await self._pool.close()

    async def _ask(self, code: Code, target: Target, attributes: bytes) -> Outcome:
        nas = str(target.address), target.port
        async with self._turn(nas):
            socket = await self._socket(target, nas)
            if not self._may_send_to(target.isp_id, target.nas_id, target.address):
                raise NotSent(f"{target.address} is not the address of device {target.nas_id} of ISP {target.isp_id}")
            dated = encode_attributes([EVENT_TIMESTAMP(int(self._now()))]) + attributes

            def build(identifier: int) -> bytes:
                return encode_request(code, identifier, dated, target.secret, sign=True)

            self.counters.requests[code] += 1
            outcome = await self._exchange(socket, nas, build, target.secret)
            self.counters.results[outcome.result] += 1
            return outcome

    async def _exchange(
        self, socket: DynAuthSocket, nas: Address, build: Callable[[int], bytes], secret: SharedSecret
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        began, tries = loop.time(), 0
        with socket.question(nas, build, secret) as question:
            for wait_s in self._waits_s:
                tries += 1
                await self._try(socket, nas, question, wait_s)
                if question.answer.done():
                    break
            if question.answer.cancelled():
                raise ClientClosed
            answer = read_answer(question.answer.result()) if question.answer.done() else _SILENCE
            return Outcome(*answer, tries, loop.time() - began, question.badly_signed)

    async def _try(self, socket: DynAuthSocket, nas: Address, question: Question, wait_s: float) -> None:
        self.counters.datagrams += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s * random.uniform(1 - JITTER, 1 + JITTER)):
                await socket.send(question.datagram, nas)
                await asyncio.wait({question.answer})

    async def _socket(self, target: Target, nas: Address) -> DynAuthSocket:
        local = str(target.local) if target.local is not None else "::" if target.address.version == 6 else "0.0.0.0"
        if target.local is not None and target.local.version != target.address.version:
            raise NotSent(f"{target.address} cannot be reached from {local}")
        try:
            return await self._pool.with_room(local, nas)
        except OSError as error:
            raise NotSent(f"cannot send from {local}: {error.strerror}") from error

    def _turn(self, nas: Address) -> asyncio.Semaphore:
        """Return what lets as many requests wait for one NAS as there are identifiers. It lives while one does."""
        turn = self._turns.get(nas)
        if turn is None:
            turn = self._turns[nas] = asyncio.Semaphore(self._limit)
        return turn


def registered_in(nases: NasTable) -> MaySendTo:
    """Return the check that an address is one of a device's sources; devices that are deleted fail it at once."""

    def may_send_to(isp_id: IspId, nas_id: NasId, address: IpAddress) -> bool:
        entry = nases.get(isp_id, nas_id)
        return entry is not None and any(address in network for network in entry.nas.networks)

    return may_send_to


def target_of(entry: NasEntry, address: IpAddress, local: IpAddress | None) -> Target:
    """Return the target that a device is; while its secret is being changed, the one it used last is used."""
    return Target(entry.nas.isp_id, entry.nas.id, address, entry.nas.coa_port, entry.secrets[0], local)
