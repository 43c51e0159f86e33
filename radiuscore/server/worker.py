"""One RADIUS worker: where all parts meet, and who owns their lifetime.

It says nothing until it has the whole configuration; then it answers from memory, whether the database is there or not.
Started by the supervisor as ``python -m radiuscore.server.worker``.
"""

import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import Final

from radiuscore.aaa.changes import Change, NasChange, Snapshot
from radiuscore.aaa.devices import DeviceProved, DeviceSigned
from radiuscore.engine.engine import Engine
from radiuscore.engine.policy_replica import Login
from radiuscore.engine.policy_reserving import ReservingPolicy
from radiuscore.server import logs
from radiuscore.server.accounting_writer import AccountingWriter
from radiuscore.server.batchsocket import datagram_socket
from radiuscore.server.channel import SOCKET_NAME, Channel, Message
from radiuscore.server.config import SERVERS, Orders, Server
from radiuscore.server.counter_memory import CounterMemory
from radiuscore.server.deferred_writer import DeferredWriter, LoginLog
from radiuscore.server.discardlog import DiscardLog, device_at
from radiuscore.server.holdings import Holdings
from radiuscore.server.ledger import DatabaseLedger
from radiuscore.server.lifeline import Lifeline, read_orders
from radiuscore.server.link import DatabaseLink
from radiuscore.server.listener import Listener
from radiuscore.server.meter import Meter
from radiuscore.server.metrics import add
from radiuscore.server.reservations import Reservations
from radiuscore.server.spooling_ledger import Orphans, SpoolingLedger
from radiuscore.server.trace import Tracer, TraceRequest
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.store import authlog, devices
from radiuscore.store.changes import Changes, follow
from radiuscore.store.pool import SYSTEM_ROLE, Connection, DirectConnection, connect
from radiuscore.store.sealing import Keyring

SPOOLS: Final = "spool"  # directory below DATA_DIR
DRAIN_S: Final = 12.0  # the writer gives up a record after 10, the supervisor gives up a worker after 15
REPORT_EVERY_S: Final = 1.0
RESERVING_CONNECTIONS: Final = 4  # opened when a strict plan or a central pool first needs one
GC_THRESHOLD: Final = 50_000  # allocations; garbage here is freed by reference counts, cycles are rare

_log: Final = logging.getLogger("radiuscore.server.worker")  # also when started as __main__


class Worker:
    """All parts of one worker, wired up; `run` brings them to life and takes them down."""

    def __init__(self, orders: Orders, lifeline: Lifeline) -> None:
        assert orders.slot is not None
        assert orders.counters_fd is not None
        config, node = orders.config, socket.gethostname()
        self._orders = orders
        self._lifeline = lifeline
        self._keyring = Keyring.parse(config.encryption_keys)
        self._nases = NasTable()
        self._replica = Replica()
        self._current_at: float | None = None
        self._control = DatabaseLink(_connector(config.dsn, orders.slot), "what was learned of devices")
        self._accounting = DatabaseLink(_connector(config.accounting_dsn, orders.slot), "accounting")
        self._orphaned = DatabaseLink(_connector(config.accounting_dsn, orders.slot), "spools of workers that are gone")
        self._auth_log = DatabaseLink(_connector(config.accounting_dsn, orders.slot), "the auth log")
        holdings = Holdings(self._replica)
        database = DatabaseLedger(self._accounting, node, holdings)
        self._ledger = SpoolingLedger(database, _spool_path(config.data_dir, orders.slot), self._queued)
        self._orphans = Orphans(
            DatabaseLedger(self._orphaned, node, holdings), config.data_dir / SPOOLS, config.workers
        )
        self._writer = AccountingWriter(self._ledger)
        self._logins = LoginLog(self._auth_log, partial(_write_logins, node))
        self._proofs = DeferredWriter(self._control, devices.record_proofs, "a device's proof")
        self._signatures = DeferredWriter(self._control, devices.record_signed, "a device's first signature")
        connector = _connector(config.accounting_dsn, orders.slot)
        reserving = [DatabaseLink(connector, "reservations") for _ in range(RESERVING_CONNECTIONS)]
        self._reservations = Reservations(reserving, self._replica)
        policy = ReservingPolicy(self._replica, self._logins.offer, self._writer.submit, self._reservations)
        self._engine = Engine(
            self._nases, access=policy.admit, accounting=policy.accounting, durable=self._is_durable, observer=self
        )
        self._channel = Channel(config.run_dir / SOCKET_NAME, orders.slot, self._on_command, self._on_lost)
        self._tracer = Tracer(self._nases, self._channel.event, lambda: self._logins.last)
        self._listeners = self._listen()
        self._meter = Meter(
            self._engine,
            self._listeners,
            self._writer,
            self._ledger,
            self._logins,
            self._reservations,
            self._channel,
        )
        self._memory = CounterMemory(orders.counters_fd)
        self._inherited = self._memory.load()

    def device_proved(self, fact: DeviceProved) -> None:
        """Have a device's first proof stored and shown."""
        self._proofs.offer(fact)
        self._channel.event({"kind": "device_proved", **fact._asdict(), "address": str(ip_address(fact.address))})

    def device_signed(self, fact: DeviceSigned) -> None:
        """Have a device's first valid Message-Authenticator stored and shown: from now on it must sign."""
        self._signatures.offer(fact)
        self._channel.event({"kind": "device_signed", **fact._asdict()})

    async def run(self) -> None:
        """Serve until the lifeline ends; then drain. Raises what broke a part: the supervisor starts another worker."""
        try:
            async with asyncio.TaskGroup() as parts:
                tasks = [
                    parts.create_task(part, name=name)
                    for name, part in (
                        ("accounting writer", self._writer.run()),
                        ("accounting spool", self._ledger.run()),
                        *([("orphaned spools", self._orphans.run())] if self._orders.slot == 0 else []),
                        ("reservations", self._reservations.run()),
                        ("login log", self._logins.run()),
                        ("device proofs", self._proofs.run()),
                        ("device signatures", self._signatures.run()),
                        ("channel", self._channel.run()),
                        ("configuration", self._follow()),
                        ("report", self._report_for_ever()),
                        *((f"{one} socket", _watch(listener)) for one, listener in self._all_listeners()),
                    )
                ]
                await self._lifeline.ended.wait()
                await self._drain()
                for task in tasks:
                    task.cancel()
        finally:
            for _, listener in self._all_listeners():
                listener.close()
            await self._ledger.close()
            await self._reservations.close()
            for link in (self._control, self._accounting, self._orphaned, self._auth_log):
                await link.close()

    def _queued(self) -> int:
        return self._writer.queued

    def _is_durable(self) -> bool:
        return self._ledger.durable

    def _listen(self) -> dict[Server, list[Listener]]:
        note = DiscardLog(partial(device_at, self._nases)).note
        listeners: dict[Server, list[Listener]] = {server: [] for server in SERVERS}
        for one in self._orders.sockets:
            port = self._engine.auth if one.server == "auth" else self._engine.acct
            listeners[one.server].append(Listener(datagram_socket(socket.socket(fileno=one.fd)), port, note))
        return listeners

    def _all_listeners(self) -> list[tuple[Server, Listener]]:
        return [(server, listener) for server in SERVERS for listener in self._listeners[server]]

    async def _follow(self) -> None:
        """Load the configuration, begin to serve, and keep it current."""
        connector = _connector(self._orders.config.dsn, self._orders.slot)
        async with aclosing(follow(connector, self._keyring)) as news:
            async for one in news:
                match one:
                    case Snapshot():
                        self._load(one)
                    case Changes(changes):
                        for change in changes:
                            self._apply(change)
                self._current_at = monotonic()

    def _load(self, snapshot: Snapshot) -> None:
        began = monotonic()
        self._nases.load(snapshot.nases)
        self._replica.load(snapshot)
        gc.freeze()  # what is loaded is not garbage: looking at it would only pause the server
        fields = {"customers": self._replica.customer_count, "devices": len(self._nases)}
        _log.info("the configuration is loaded", extra=fields | {"seconds": round(monotonic() - began, 3)})
        if self._current_at is None:
            for _, listener in self._all_listeners():
                listener.start()
            self._lifeline.ready()

    def _apply(self, change: Change) -> None:
        if isinstance(change, NasChange):
            self._nases.apply(change)
        else:
            self._replica.apply(change)

    async def _report_for_ever(self) -> None:
        while True:
            self._report()
            self._aim_listeners()
            await asyncio.sleep(REPORT_EVERY_S)

    def _report(self) -> None:
        """Keep the counters for a successor, then tell them to management; in this order, so that they never fall."""
        counters = add(self._inherited, self._meter.counters())
        self._memory.save(counters)
        ready = self._current_at is not None
        gauges = self._meter.gauges() | {
            "radius_worker_ready": {"": int(ready)},
            "radius_cache_entries": {"customers": self._replica.customer_count, "devices": len(self._nases)},
        }
        if self._current_at is not None:
            gauges["radius_replica_age_seconds"] = {"": round(monotonic() - self._current_at, 3)}
        absolute = self._meter.kernel_drops() | {"radius_worker_restarts": {"": self._orders.generation}}
        self._channel.report({"pid": os.getpid(), "ready": ready, "counters": counters | absolute, "gauges": gauges})

    def _on_command(self, message: Message) -> None:
        match message["type"]:
            case "trace":
                self._tracer.begin(TraceRequest.from_command(message))
            case "untrace":
                self._tracer.end(message["id"])
            case "drain":
                self._lifeline.ended.set()
        self._aim_listeners()

    def _on_lost(self) -> None:
        """Trace nothing that nobody hears; a management process that comes back asks for it again."""
        self._tracer.clear()
        self._aim_listeners()

    def _aim_listeners(self) -> None:
        """Have the listeners call the tracer while something is traced, and else the engine directly."""
        active = self._tracer.active
        for server, listener in self._all_listeners():
            direct = (self._engine.auth if server == "auth" else self._engine.acct).handle
            listener.handle = self._tracer.wrap(server, direct) if active else direct

    async def _drain(self) -> None:
        """Stop reading, finish what was read, and write what has queued."""
        _log.info("draining")
        for _, listener in self._all_listeners():
            listener.stop_reading()
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*(listener.drained() for _, listener in self._all_listeners()))
                await self._writer.drained()
                for writer in (self._logins, self._proofs, self._signatures):
                    await writer.flush()
        except TimeoutError:
            _log.warning("not everything could be finished in time", extra={"queued": self._writer.queued})
        self._report()


def _spool_path(data_dir: Path, slot: int) -> Path:
    """Return where a worker keeps accounting that the database does not take; its directory is there then."""
    directory = data_dir / SPOOLS
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory / f"worker-{slot}.spool"


async def _watch(listener: Listener) -> None:
    """End with the error that broke a socket."""
    await listener.broken


async def _write_logins(node: str, db: Connection, logins: Sequence[Login]) -> None:
    await authlog.write(db, [login.row() for login in logins], node=node)


def _connector(dsn: str, slot: int | None) -> Callable[[], Awaitable[DirectConnection]]:
    # No time limit per command: a link cuts its connection by itself, and `follow` probes its own.
    name = f"radiuscore worker {slot}"
    return partial(connect, dsn, role=SYSTEM_ROLE, application_name=name, command_timeout=None)


async def serve(orders: Orders) -> None:
    """Run one worker to its end."""
    with Lifeline(orders) as lifeline:
        await Worker(orders, lifeline).run()


def main() -> int:
    """Return 0 after draining, 1 after a failure, which is logged."""
    try:
        orders = read_orders()
    except EOFError:
        sys.stderr.write("radiuscore.server.worker is started by `radiuscore serve`, not by hand.\n")
        return 1
    logs.configure(orders.config.log_level, orders.config.log_format, {"worker": orders.slot})
    gc.set_threshold(GC_THRESHOLD, 50, 100)
    try:
        asyncio.run(serve(orders))
    except Exception:  # noqa: BLE001  # nobody else can log it; the supervisor sees only that we ended
        _log.exception("the worker failed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
