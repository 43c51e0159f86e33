"""The packet trace: for one device or one customer of one ISP, each packet decoded, with the reason and no secrets.

Off, it costs nothing: the listeners call the engine directly. On, each datagram is attributed once more, by the same
proof as the engine's, so that an ISP sees packets of its own devices only, also where several share an address.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from ipaddress import ip_address
from time import time
from typing import Any, Final, TypeAlias

from radiuscore.aaa.names import username_key
from radiuscore.aaa.records import IspId, NasId
from radiuscore.engine.exchange import Pending
from radiuscore.engine.policy_replica import Login
from radiuscore.engine.proof import prove
from radiuscore.server.listener import Handle, Outcome
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasEntry, NasTable
from radiuscore.wire.errors import Discard, MalformedPacket
from radiuscore.wire.packet import Packet, decode
from radiuscore.wire.registry import describe

Event: TypeAlias = Mapping[str, Any]
_USER_NAME: Final = 1


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """What to trace: packets of one ISP's device, or of one of its usernames, or of both together.

    ``username_key`` is in the form of `names.username_key`; ``until`` is in seconds since 1970.
    """

    id: str
    isp_id: IspId
    nas_id: NasId | None
    username_key: str | None
    until: float

    @property
    def expired(self) -> bool:
        """Whether the trace's time is over."""
        return time() >= self.until

    def command(self) -> dict[str, Any]:
        """Return the message that begins it in a worker."""
        return {"type": "trace", "trace": asdict(self)}

    @classmethod
    def from_command(cls, message: Mapping[str, Any]) -> "TraceRequest":
        """Return what `command` wrote."""
        return cls(**message["trace"])

    def wants(self, entry: NasEntry, key: str) -> bool:
        """Tell whether a packet of this device and with this username is asked for."""
        nas = entry.nas
        return nas.isp_id == self.isp_id and self.nas_id in (None, nas.id) and self.username_key in (None, key)


class Tracer:
    """The traces of one worker. ``emit`` takes each event; ``last_login`` tells the last decision, for its reason."""

    def __init__(self, nases: NasTable, emit: Callable[[Event], None], last_login: Callable[[], Login | None]) -> None:
        self._nases = nases
        self._emit = emit
        self._last_login = last_login
        self._requests: dict[str, TraceRequest] = {}

    @property
    def active(self) -> bool:
        """Whether anything is traced; what has expired is forgotten."""
        self._requests = {key: request for key, request in self._requests.items() if not request.expired}
        return bool(self._requests)

    def begin(self, request: TraceRequest) -> None:
        """Trace from the next datagram on."""
        self._requests[request.id] = request

    def end(self, trace_id: str) -> None:
        """Trace no more."""
        self._requests.pop(trace_id, None)

    def clear(self) -> None:
        """Trace nothing more."""
        self._requests.clear()

    def wrap(self, server: str, handle: Handle) -> Handle:
        """Return a handler that does the same and traces what is asked for."""
        return partial(self._handle, server, handle)

    def _handle(
        self, server: str, handle: Handle, datagram: bytes, source: bytes, local: bytes, now: Moment
    ) -> Outcome:
        before = self._last_login()
        outcome = handle(datagram, source, local, now)
        login = self._last_login()
        reason = login.reason if login is not None and login is not before else ""
        attributed = self._attributed(datagram, source[2:])
        if attributed is None:
            return outcome
        entry, packet = attributed
        key = _key_of(packet) if packet is not None else ""
        traces = [trace.id for trace in self._requests.values() if trace.wants(entry, key)]
        if not traces:
            return outcome
        event = {
            "kind": "trace",
            "traces": traces,
            "at": now.epoch,
            "server": server,
            "isp_id": entry.nas.isp_id,
            "nas_id": entry.nas.id,
            "source": str(ip_address(source[2:])),
            "port": int.from_bytes(source[:2], "big"),
            "request": describe(packet) if packet is not None else f"{len(datagram)} octets that are no packet",
        }
        if isinstance(outcome, Pending):
            return _told_later(outcome, partial(self._tell, event))
        self._tell(event, outcome, reason)
        return outcome

    def _attributed(self, datagram: bytes, address: bytes) -> tuple[NasEntry, Packet | None] | None:
        """Return the device a datagram surely belongs to, and the packet in it; ``None`` where that is not sure."""
        candidates = self._nases.find(address)
        if candidates is None:
            return None
        try:
            packet = decode(datagram)
        except MalformedPacket:
            return (candidates.sole, None) if candidates.sole is not None else None
        if candidates.sole is not None:
            return candidates.sole, packet
        proof = prove(self._nases, address, candidates, datagram, packet, dict(reversed(packet.attributes)))
        return None if isinstance(proof, Discard) else (proof.entry, packet)

    def _tell(self, event: Event, outcome: bytes | Discard, reason: str = "") -> None:
        self._emit(
            {
                **event,
                "reply": describe(decode(outcome)) if isinstance(outcome, bytes) else None,
                "reason": outcome.value if isinstance(outcome, Discard) else reason,
            }
        )


def _told_later(pending: Pending, tell: Callable[[bytes | Discard], None]) -> Pending:
    """Return the same answer that must wait, told when it is there."""

    def finish(result: object) -> bytes | Discard:
        outcome = pending.finish(result)
        tell(outcome)
        return outcome

    def fail(reason: Discard) -> Discard:
        pending.fail(reason)
        tell(reason)
        return reason

    return Pending(pending.awaitable, finish, fail)


def _key_of(packet: Packet) -> str:
    return next((username_key(value) for kind, value in packet.attributes if kind == _USER_NAME), "")
