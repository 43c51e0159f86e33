"""What happens to a datagram of one port, in this order: size, NAS by source, code, shape, proof, duplicate, handler.

One synchronous call from datagram to reply. Every silence has a reason and a counter.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from radiuscore.aaa.devices import DeviceProved, DeviceSigned
from radiuscore.engine.counters import Counters
from radiuscore.engine.exchange import Exchange, Pending
from radiuscore.engine.proof import Proof, prove
from radiuscore.state.dedup import DuplicateTable
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import MAX_TRIES, Candidates, NasEntry, NasTable
from radiuscore.wire.codes import Code
from radiuscore.wire.errors import Discard, MalformedPacket
from radiuscore.wire.packet import HEADER_LENGTH, decode

Outcome: TypeAlias = bytes | Discard | Pending
Handler: TypeAlias = Callable[[Exchange], Outcome]


class DeviceObserver(Protocol):
    """Hears what is learned of devices and should be stored. Called on the hot path: it must not block."""

    def device_proved(self, fact: DeviceProved) -> None: ...

    def device_signed(self, fact: DeviceSigned) -> None: ...


class Port:
    """One listening port: the codes it answers, its duplicates and its counters."""

    __slots__ = ("_duplicates", "_handlers", "_nases", "_observer", "counters")

    def __init__(
        self, nases: NasTable, handlers: Mapping[int, Handler], observer: DeviceObserver | None, counters: Counters
    ) -> None:
        self._nases = nases
        self._handlers: Final = dict(handlers)
        self._observer = observer
        self._duplicates = DuplicateTable()
        self.counters: Final = counters

    def handle(self, datagram: bytes, source: bytes, local: bytes, now: Moment) -> Outcome:
        """Return the reply to a datagram, why there is none, or an answer that must wait.

        ``source`` is 2 octets of port and 4 or 16 of address, in network order; ``local`` the address that was asked.
        """
        if len(datagram) < HEADER_LENGTH:
            return self._discard(Discard.SHORT_PACKET)
        address = source[2:]
        candidates = self._nases.find(address)
        if candidates is None:
            return self._discard(Discard.UNKNOWN_NAS)
        code = datagram[0]
        handler = self._handlers.get(code)
        if handler is None:
            return self._discard(Discard.CODE_NOT_ALLOWED, candidates)
        try:
            packet = decode(datagram)
        except MalformedPacket as error:
            return self._discard(error.reason, candidates)
        first = dict(reversed(packet.attributes))
        proof = prove(self._nases, address, candidates, datagram, packet, first)
        if not isinstance(proof, Proof):
            return self._discard(proof, candidates)
        self.counters.requests[code] += 1
        entry, secret, signed, certain, _ = proof
        if certain and signed and not (entry.signed and entry in candidates.noted):
            self._learn(proof, candidates, address, code, now)
        # Whoever shares an address with others has identifiers of his own, and so has each address of this machine.
        key = entry.key + source + local + datagram[:2]
        return self._answer(handler, Exchange(packet, first, entry, secret, signed, source, local, now, key))

    def note_proof(self, exchange: Exchange) -> None:
        """Note that an unsigned request proved its secret after all: its hidden password was a customer's."""
        candidates = self._nases.find(exchange.source[2:])
        if candidates is not None and candidates.one_isp:
            self._note_proof(exchange.entry, candidates, exchange.source[2:], exchange.now)

    def _answer(self, handler: Handler, exchange: Exchange) -> Outcome:
        authenticator = exchange.packet.authenticator
        known = self._duplicates.find(exchange.key, authenticator, exchange.now)
        if known is not None:
            if known[1] is None:
                return self._discard(Discard.DUPLICATE_IN_FLIGHT)
            self.counters.duplicates += 1
            return known[1]
        outcome = handler(exchange)
        if isinstance(outcome, bytes):
            self._duplicates.remember(exchange.key, authenticator, outcome, exchange.now)
            self.counters.replies[outcome[0]] += 1
            return outcome
        if isinstance(outcome, Discard):
            return self._discard(outcome)
        self._duplicates.remember(exchange.key, authenticator, None, exchange.now)
        return Pending(outcome.awaitable, partial(self._finish, exchange, outcome), partial(self._abandon, exchange))

    def _finish(self, exchange: Exchange, pending: Pending, result: Any) -> bytes | Discard:
        reply = pending.finish(result)
        if isinstance(reply, Discard):
            return self._abandon(exchange, reply)
        if self._duplicates.is_replaced(exchange.key, exchange.packet.authenticator):
            return self._discard(Discard.REPLACED)
        self._duplicates.remember(exchange.key, exchange.packet.authenticator, reply, exchange.now)
        self.counters.replies[reply[0]] += 1
        return reply

    def _abandon(self, exchange: Exchange, reason: Discard) -> Discard:
        self._duplicates.forget(exchange.key, exchange.packet.authenticator)
        return self._discard(reason)

    def _discard(self, reason: Discard, candidates: Candidates | None = None) -> Discard:
        self.counters.discards[reason] += 1
        for entry in candidates.entries[:MAX_TRIES] if candidates is not None else ():
            self.counters.device_discards[entry.nas.isp_id, entry.nas.id, reason] += 1
        return reason

    def _learn(self, proof: Proof, candidates: Candidates, address: bytes, code: int, now: Moment) -> None:
        """Keep what a verified request says of its device: it is there, and it signs."""
        entry = proof.entry
        if entry not in candidates.noted:
            self._note_proof(entry, candidates, address, now)
        if proof.named and not entry.signed and code == Code.ACCESS_REQUEST:
            entry.signed = True
            if self._observer is not None:
                self._observer.device_signed(DeviceSigned(entry.nas.isp_id, entry.nas.id, now.epoch))

    def _note_proof(self, entry: NasEntry, candidates: Candidates, address: bytes, now: Moment) -> None:
        candidates.noted.add(entry)
        if self._nases.proved(address, entry, now) and self._observer is not None:
            self._observer.device_proved(DeviceProved(entry.nas.isp_id, entry.nas.id, now.epoch, address))
