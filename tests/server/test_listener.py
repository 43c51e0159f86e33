"""One socket with a scripted engine behind it: what is answered, what is not, and what goes on when something fails."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from radiuscore.engine.counters import Counters
from radiuscore.engine.exchange import NotDurable, Pending
from radiuscore.server.batchsocket import datagram_socket
from radiuscore.server.listener import Listener, Outcome
from radiuscore.server.packetinfo import BATCH
from radiuscore.state.moment import Moment
from radiuscore.wire.errors import Discard
from tests.server.support import tasks_made, until


class Script:
    """Answers a datagram with what the test says of its octets; unknown ones are echoed."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.answers: dict[bytes, Callable[[], Outcome]] = {}
        self.seen: list[tuple[bytes, bytes, bytes]] = []
        self.failures: list[Discard] = []

    def handle(self, datagram: bytes, source: bytes, local: bytes, now: Moment) -> Outcome:
        self.seen.append((datagram, source, local))
        answer = self.answers.get(datagram)
        return datagram.upper() if answer is None else answer()

    def pending(self, awaitable: Any) -> Pending:
        return Pending(awaitable, lambda result: b"done " + result, self._abandon)

    def _abandon(self, reason: Discard) -> Discard:
        self.failures.append(reason)
        return reason


class Bench:
    def __init__(self) -> None:
        self.script = Script()
        self.discards: list[Discard] = []
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        self.address = sock.getsockname()
        self.sends: list[int] = []
        self.socket = datagram_socket(sock)
        self.listener = Listener(self, self.script, lambda _source, reason, _now: self.discards.append(reason))
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(self.address)
        self.client.setblocking(False)

    # The listener's socket, with a note of how often it was written.
    def fileno(self) -> int:
        return self.socket.fileno()

    def receive(self) -> list[Any]:
        return self.socket.receive()

    def send(self, replies: Any) -> int:
        self.sends.append(len(replies))
        return self.socket.send(replies)

    def kernel_drops(self) -> int:
        return self.socket.kernel_drops()

    def close(self) -> None:
        self.socket.close()

    async def reply(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.client, 4096), 5)

    def silent(self) -> bool:
        try:
            self.client.recv(4096)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.listener.start()
    yield bench
    bench.listener.close()
    bench.client.close()


async def test_a_batch_is_answered_in_one_call_without_a_task(bench: Bench) -> None:
    bench.listener.stop_reading()
    for number in range(BATCH):
        bench.client.send(b"hello %d" % number)
    loop = asyncio.get_running_loop()
    with tasks_made() as made:
        bench.listener.start()
        deadline = loop.time() + 5
        while not bench.sends:
            assert loop.time() < deadline
            await asyncio.sleep(0)

    assert made == []
    assert bench.sends == [BATCH]
    assert [bench.client.recv(100) for _ in range(BATCH)] == [b"HELLO %d" % number for number in range(BATCH)]
    assert sum(bench.listener.durations.counts) == BATCH


async def test_the_engine_is_given_octets_source_and_the_address_asked(bench: Bench) -> None:
    bench.client.send(b"x")
    await bench.reply()
    port = bench.client.getsockname()[1].to_bytes(2, "big")
    assert bench.script.seen == [(b"x", port + socket.inet_aton("127.0.0.1"), socket.inet_aton("127.0.0.1"))]


async def test_a_discard_is_silence_and_is_noted(bench: Bench) -> None:
    bench.script.answers[b"bad"] = lambda: Discard.BAD_LENGTH
    bench.client.send(b"bad")
    bench.client.send(b"good")
    assert await bench.reply() == b"GOOD"
    assert bench.silent()
    assert bench.discards == [Discard.BAD_LENGTH]


async def test_a_fault_of_ours_costs_one_datagram_and_is_logged_with_its_traceback(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def trip() -> Outcome:
        raise ZeroDivisionError

    bench.script.answers[b"trip"] = trip
    for octets in (b"one", b"trip", b"trip", b"two"):
        bench.client.send(octets)
    assert [await bench.reply(), await bench.reply()] == [b"ONE", b"TWO"]
    assert bench.script.counters.discards == {Discard.INTERNAL_ERROR: 2}
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1  # not one per packet: somebody may send ten thousand a second
    assert errors[0].exc_info is not None
    assert errors[0].exc_info[0] is ZeroDivisionError


async def test_a_future_is_answered_when_it_is_done(bench: Bench) -> None:
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    bench.script.answers[b"later"] = lambda: bench.script.pending(future)
    bench.client.send(b"later")
    bench.client.send(b"now")
    assert await bench.reply() == b"NOW"
    assert (bench.silent(), bench.listener.in_flight) == (True, 1)
    future.set_result(b"at last")
    assert await bench.reply() == b"done at last"
    assert bench.listener.in_flight == 0


async def test_answers_that_become_ready_together_leave_together(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[bytes]] = []

    def later() -> Outcome:
        futures.append(loop.create_future())
        return bench.script.pending(futures[-1])

    bench.script.answers[b"later"] = later
    for _ in range(20):
        bench.client.send(b"later")
    await until(lambda: len(futures) == 20)
    for number, future in enumerate(futures):
        future.set_result(b"%d" % number)
    assert [await bench.reply() for _ in range(20)] == [b"done %d" % number for number in range(20)]
    assert bench.sends == [20]


async def test_a_coroutine_is_answered_when_it_returns(bench: Bench) -> None:
    async def think() -> bytes:
        await asyncio.sleep(0)
        return b"thinking"

    bench.script.answers[b"think"] = lambda: bench.script.pending(think())
    bench.client.send(b"think")
    assert await bench.reply() == b"done thinking"


async def test_what_is_not_durable_is_not_acknowledged(bench: Bench) -> None:
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    bench.script.answers[b"store"] = lambda: bench.script.pending(future)
    bench.client.send(b"store")
    await until(lambda: bench.listener.in_flight == 1)
    future.set_exception(NotDurable())
    await until(lambda: bench.discards == [Discard.NOT_DURABLE])
    assert bench.script.failures == [Discard.NOT_DURABLE]
    assert bench.silent()


async def test_an_awaited_fault_is_silence_and_is_logged_with_its_traceback(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def trip() -> bytes:
        raise ZeroDivisionError

    bench.script.answers[b"trip"] = lambda: bench.script.pending(trip())
    bench.client.send(b"trip")
    await until(lambda: bench.discards == [Discard.INTERNAL_ERROR])
    assert bench.script.failures == [Discard.INTERNAL_ERROR]
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    bench.client.send(b"still there")
    assert await bench.reply() == b"STILL THERE"


async def test_draining_answers_what_was_read_and_leaves_the_rest_in_the_kernel(bench: Bench) -> None:
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    bench.script.answers[b"later"] = lambda: bench.script.pending(future)
    bench.client.send(b"later")
    await until(lambda: bench.listener.in_flight == 1)
    bench.listener.stop_reading()
    bench.client.send(b"for the successor")
    drained = asyncio.ensure_future(bench.listener.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    future.set_result(b"in time")
    await asyncio.wait_for(drained, 5)
    assert await bench.reply() == b"done in time"
    assert [octets for octets, *_ in bench.socket.receive()] == [b"for the successor"]


async def test_what_is_given_up_while_draining_is_not_answered(bench: Bench) -> None:
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    bench.script.answers[b"later"] = lambda: bench.script.pending(future)
    bench.client.send(b"later")
    await until(lambda: bench.listener.in_flight == 1)
    bench.listener.close()
    await until(lambda: bench.discards == [Discard.DRAINING])
    assert bench.listener.in_flight == 0


async def test_a_broken_socket_is_told_once(bench: Bench) -> None:
    def broken() -> list[Any]:
        raise OSError(5, "input/output error")

    bench.receive = broken  # type: ignore[method-assign]
    bench.client.send(b"x")
    with pytest.raises(OSError, match="input/output"):
        await asyncio.wait_for(bench.listener.broken, 5)
