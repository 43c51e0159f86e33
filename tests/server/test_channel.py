"""A worker's channel to management: over a real socket, never waiting, made anew when it breaks."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import time
from typing import Any

import pytest

from radiuscore.server.channel import MAX_BUFFERED, MAX_EVENTS, SOCKET_NAME, Channel, Message
from radiuscore.server.channel_server import ChannelServer
from radiuscore.server.trace import TraceRequest
from tests.server.support import until

REPORT: Message = {"pid": 7, "ready": True, "counters": {"radius_requests": {"auth|access_request": 5}}, "gauges": {}}
TRACE = TraceRequest("t1", isp_id=1, nas_id=2, username_key=None, until=time() + 86_400)  # longer than any test run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / SOCKET_NAME


@asynccontextmanager
async def channel(
    path: Path,
    worker: int = 0,
    on_command: Callable[[Message], None] = lambda _: None,
    on_lost: Callable[[], None] = lambda: None,
) -> AsyncIterator[Channel]:
    one = Channel(path, worker, on_command, on_lost)
    task = asyncio.create_task(one.run())
    yield one
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def server(
    path: Path, on_event: Callable[[int, Mapping[str, Any]], None] = lambda *_: None
) -> AsyncIterator[ChannelServer]:
    one = ChannelServer(path, on_event)
    await one.start()
    yield one
    await one.close()


async def test_the_last_report_of_each_worker_is_kept(path: Path) -> None:
    async with server(path) as management, channel(path, 0) as first:
        async with channel(path, 1) as second:
            await until(lambda: first.connected and second.connected)
            first.report(REPORT)
            second.report(REPORT)
            second.report({**REPORT, "ready": False})
            await until(lambda: 1 in management.reports and not management.reports[1].ready)
        assert set(management.reports) == {0, 1}  # also of the one that is gone
        report = management.reports[0]
        assert (report.worker, report.pid, report.ready, report.fresh) == (0, 7, True, True)
        assert report.counters == REPORT["counters"]


async def test_events_come_in_batches_and_in_order(path: Path) -> None:
    heard: list[tuple[int, int]] = []
    async with (
        server(path, lambda worker, event: heard.append((worker, event["number"]))),
        channel(path, 3) as worker,
    ):
        await until(lambda: worker.connected)
        for number in range(100):
            worker.event({"number": number})
        await until(lambda: len(heard) == 100)
        assert heard == [(3, number) for number in range(100)]


async def test_without_management_everything_is_dropped_and_counted(path: Path) -> None:
    async with channel(path) as worker:
        worker.event({})
        assert worker.report(REPORT) is False
        assert worker.dropped == 2


async def test_too_many_events_at_once_are_dropped_and_counted(path: Path) -> None:
    heard: list[Any] = []
    async with server(path, lambda _, event: heard.append(event)), channel(path) as worker:
        await until(lambda: worker.connected)
        for _ in range(MAX_EVENTS + 5):
            worker.event({})
        assert worker.dropped == 5
        await until(lambda: len(heard) == MAX_EVENTS)


async def test_a_management_process_that_does_not_read_holds_nobody_up(path: Path) -> None:
    """The kernel's buffer and ours fill; from then on reports are dropped, at once and without using more memory."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stalled:
        stalled.bind(str(path))
        stalled.listen()
        async with channel(path) as worker:
            await until(lambda: worker.connected)
            large = {**REPORT, "gauges": {"x": {"y" * 10_000: 1}}}
            fitted = [worker.report(large) for _ in range(1000)]
            assert fitted[0]
            assert not fitted[-1]
            assert worker.dropped == fitted.count(False)
            assert fitted.count(True) * 10_000 < 2 * MAX_BUFFERED


async def test_the_channel_is_made_anew(path: Path) -> None:
    lost: list[None] = []
    async with channel(path, on_lost=lambda: lost.append(None)) as worker:
        for times in (1, 2):
            async with server(path) as management:
                await until(lambda: worker.connected)
                worker.report(REPORT)
                await until(lambda seen=management.reports: seen)  # type: ignore[misc]
            await until(lambda: not worker.connected)
            assert len(lost) == times


async def test_commands_reach_every_worker_also_one_that_comes_later(path: Path) -> None:
    told: dict[str, list[Message]] = {"early": [], "late": []}
    async with server(path) as management, channel(path, 0, told["early"].append) as early:
        await until(lambda: early.connected)
        early.report(REPORT)
        await until(lambda: management.reports)
        management.trace(TRACE)
        await until(lambda: told["early"])
        async with channel(path, 1, told["late"].append):
            await until(lambda: told["late"])
            assert TraceRequest.from_command(told["late"][0]) == TRACE
            management.untrace(TRACE.id)
            management.untrace("unknown")
            management.drain()
            await until(lambda: len(told["late"]) == 3)
    assert told["early"] == told["late"]
    assert told["late"][1:] == [{"type": "untrace", "id": "t1"}, {"type": "drain"}]


async def test_an_expired_trace_is_not_begun_again(path: Path) -> None:
    told: list[Message] = []
    async with server(path) as management:
        management.trace(TraceRequest("old", 1, None, None, until=time() - 1))
        async with channel(path, 0, told.append) as worker:
            await until(lambda: worker.connected)
            management.trace(TRACE)
            worker.report(REPORT)
            await until(lambda: management.reports)
            management.drain()
            await until(lambda: {"type": "drain"} in told)
    assert [TraceRequest.from_command(one).id for one in told if one["type"] == "trace"] == ["t1"]


async def test_a_command_that_trips_the_worker_does_not_end_the_channel(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def trip(_: Message) -> None:
        raise ZeroDivisionError

    async with server(path) as management, channel(path, 0, trip) as worker:
        await until(lambda: worker.connected)
        worker.report(REPORT)
        await until(lambda: management.reports)
        management.drain()
        await until(lambda: caplog.records)
        assert worker.connected


async def test_what_is_no_message_ends_only_its_own_connection(path: Path) -> None:
    async with server(path) as management, channel(path) as worker:
        await until(lambda: worker.connected)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"[1, 2\n")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        worker.report(REPORT)
        await until(lambda: management.reports)


async def test_a_directory_may_be_as_deep_as_it_likes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    async with server(deep / SOCKET_NAME) as management, channel(deep / SOCKET_NAME) as worker:
        await until(lambda: worker.connected)
        worker.report(REPORT)
        await until(lambda: management.reports)


async def test_only_its_own_user_may_connect(path: Path) -> None:
    async with server(path):
        assert os.stat(path).st_mode & 0o777 == 0o600
