"""The library's sockets: what they listen on, what a handler that raises costs, and how they close."""

import asyncio
import logging
import socket
from collections.abc import Callable

import pytest

from radiuscore import Accept, AccessRequest, AccountingEvent, Discard, Nas, NotDurable, RadiusServer, Reject
from radiuscore.testing import FakeNas, NoReply

SECRET = b"s3cret"
LOOPBACK = ("127.0.0.1", 0)


def server_of(access: Callable[[AccessRequest], Accept | Reject] | None = None) -> RadiusServer:
    server = RadiusServer([Nas("127.0.0.0/24", SECRET, name="tower")], auth=LOOPBACK, acct=LOOPBACK)
    if access is not None:
        server.on_access(access)
    return server


def nas_of(server: RadiusServer, **options: float) -> FakeNas:
    auth, acct = server.addresses
    return FakeNas(SECRET, auth=auth, acct=acct, tries=int(options.get("tries", 3)), timeout_s=options.get("wait", 5))


async def test_listens_on_free_ports_and_says_which() -> None:
    async with server_of(lambda request: Accept()) as server:
        (host, auth), (_, acct) = server.addresses
        assert host == "127.0.0.1"
        assert auth != acct
        async with nas_of(server) as nas:
            assert (await nas.login("alice", "pw")).accepted


async def test_an_address_that_is_taken_is_named_and_nothing_stays_open() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(LOOPBACK)
        taken = other.getsockname()[1]
        free = RadiusServer([], auth=LOOPBACK, acct=("127.0.0.1", taken))
        with pytest.raises(OSError, match=f"127.0.0.1 port {taken}: Address already in use"):
            async with free:
                pass
    async with RadiusServer([], auth=LOOPBACK, acct=("127.0.0.1", taken)) as server:
        assert server.addresses[1] == ("127.0.0.1", taken)


async def test_closing_gives_the_ports_back() -> None:
    server = server_of(lambda request: Accept())
    async with server:
        auth, acct = server.addresses
    with pytest.raises(RuntimeError, match="async with"):
        _ = server.addresses
    again = RadiusServer([], auth=auth, acct=acct)
    async with again:
        assert again.addresses == (auth, acct)


async def test_a_server_may_be_opened_again_but_not_twice() -> None:
    server = server_of(lambda request: Accept())
    for _ in range(2):
        async with server, nas_of(server) as nas:
            assert (await nas.login("alice", "pw")).accepted
            with pytest.raises(RuntimeError, match="running already"):
                await server.__aenter__()


async def test_serves_until_cancelled() -> None:
    server = server_of(lambda request: Accept())
    entered = asyncio.Event()

    async def run() -> None:
        async with server:
            entered.set()
            await server.serve_forever()

    task = asyncio.create_task(run())
    await entered.wait()
    async with nas_of(server) as nas:
        assert (await nas.login("alice", "pw")).accepted
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(RuntimeError):
            _ = server.addresses


async def test_a_handler_that_raises_is_logged_and_its_retransmission_is_decided_afresh(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[str] = []

    def fails_once(request: AccessRequest) -> Accept:
        calls.append(request.username)
        if len(calls) == 1:
            raise ZeroDivisionError("a fault of the handler")
        return Accept()

    async with server_of(fails_once) as server, nas_of(server, wait=0.2) as nas:
        assert (await nas.login("alice", "pw")).accepted
        assert nas.sent == 2
        assert server.engine.auth.counters.discards[Discard.INTERNAL_ERROR] == 1
    assert calls == ["alice", "alice"]
    assert [record for record in caplog.records if record.exc_info and record.exc_info[0] is ZeroDivisionError]


async def test_an_async_handler_that_raises_is_logged_and_tried_afresh(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    server = server_of()

    @server.on_access
    async def fails_once(request: AccessRequest) -> Accept:
        calls.append(request.username)
        await asyncio.sleep(0)
        if len(calls) == 1:
            raise ZeroDivisionError("a fault of the handler")
        return Accept()

    async with server, nas_of(server, wait=0.2) as nas:
        assert (await nas.login("alice", "pw")).accepted
    assert len(calls) == 2
    assert [record for record in caplog.records if record.exc_info and record.exc_info[0] is ZeroDivisionError]


async def test_a_fault_of_one_request_does_not_touch_its_neighbours() -> None:
    def fails_for_one(request: AccessRequest) -> Accept:
        if request.username == "mallory":
            raise ZeroDivisionError("a fault of the handler")
        return Accept()

    async with server_of(fails_for_one) as server, nas_of(server, tries=1, wait=0.5) as nas:
        names = ["alice", "bob", "mallory", "carol"]
        outcomes = await asyncio.gather(*(nas.login(name, "pw") for name in names), return_exceptions=True)
    assert [isinstance(outcome, NoReply) for outcome in outcomes] == [False, False, True, False]


async def test_accounting_is_acknowledged_when_the_handler_returns_and_not_if_it_raises() -> None:
    server = server_of(lambda request: Accept())
    stored: list[AccountingEvent] = []

    @server.on_accounting
    async def store(event: AccountingEvent) -> None:
        stored.append(event)
        if len(stored) == 1:
            raise NotDurable

    async with server, nas_of(server, wait=0.2) as nas:
        session = (await nas.login("alice", "pw")).session
        assert session is not None
        await session.start()
        assert server.engine.acct.counters.discards[Discard.NOT_DURABLE] == 1
        assert server.engine.acct.counters.replies == {5: 1}
    assert len(stored) == 2


async def test_a_plain_function_may_store_accounting() -> None:
    server = server_of(lambda request: Accept())
    stored: list[AccountingEvent] = []
    server.on_accounting(stored.append)
    async with server, nas_of(server) as nas:
        await nas.accounting_on()
    assert len(stored) == 1


async def test_what_is_being_answered_is_finished_before_the_sockets_close() -> None:
    server = server_of()
    began, may_end = asyncio.Event(), asyncio.Event()

    @server.on_access
    async def slow(request: AccessRequest) -> Accept:
        began.set()
        await may_end.wait()
        return Accept()

    await server.__aenter__()
    async with nas_of(server, tries=1) as nas:
        login = asyncio.create_task(nas.login("alice", "pw"))
        await began.wait()
        closing = asyncio.create_task(server.__aexit__())
        await asyncio.sleep(0)
        assert not closing.done()
        may_end.set()
        await closing
        assert (await login).accepted


async def test_without_a_handler_there_is_silence() -> None:
    async with server_of() as server, nas_of(server, tries=1, wait=0.05) as nas:
        with pytest.raises(NoReply):
            await nas.login("alice", "pw")
        with pytest.raises(NoReply):
            await nas.accounting_on()


async def test_a_silence_is_logged_with_the_device_it_concerns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "radiuscore.discards")
    async with server_of(lambda request: Accept()) as server:
        auth, acct = server.addresses
        async with FakeNas(b"wrong", auth=auth, acct=acct, tries=1, timeout_s=0.05) as nas:
            with pytest.raises(NoReply):
                await nas.login("alice", "pw")
    (record,) = (one for one in caplog.records if one.name == "radiuscore.discards")
    assert record.__dict__["reason"] == "bad_message_authenticator"
    assert record.__dict__["nas"] == "tower"
