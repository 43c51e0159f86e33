"""The Dynamic Authorization Client over UDP: what comes of a request, loss, forgery, many at once, and the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, ip_address
from time import time

import pytest

from radiuscore import Accept, Nas, RadiusServer
from radiuscore.aaa.changes import NasChange
from radiuscore.aaa.dynauth import LiveSession, ReactionResult, coa_attributes, disconnect_attributes
from radiuscore.server.dynauth import DynAuthClient, MaySendTo, NotSent, Outcome, Target, registered_in, target_of
from radiuscore.server.dynauthsocket import ClientClosed, Ignored
from radiuscore.state.nastable import NasTable
from radiuscore.testing import Answer, DynAuthRequest, FakeNas, FakeSession, answer_as_routeros
from radiuscore.testing.udp import Address, UdpSocket
from radiuscore.wire.codes import Code, ErrorCause
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import decode, encode_attributes
from radiuscore.wire.rfc import ERROR_CAUSE, EVENT_TIMESTAMP, PROXY_STATE
from radiuscore.wire.secret import SharedSecret
from tests.server.scriptednas import ALICE, SECRET, acknowledge, anybody, scripted
from tests.server.support import until

HERE = ip_address("127.0.0.1")
FASTER = encode_attributes([MIKROTIK_RATE_LIMIT("50M/50M")])
OTHER = SharedSecret(b"other")
DONE = ReactionResult.DISCONNECTED
QUICK = (0.05, 0.05, 0.05)


def waiting(*waits_s: float, max_sockets: int = 4, may_send_to: MaySendTo = anybody) -> DynAuthClient:
    return DynAuthClient(may_send_to, waits_s=waits_s, max_sockets=max_sockets)


@pytest.fixture
async def client() -> AsyncIterator[DynAuthClient]:
    """A client that asks once and waits longer than any test."""
    async with waiting(30.0) as client:
        yield client


@pytest.fixture
async def hasty() -> AsyncIterator[DynAuthClient]:
    """A client that tries three times in 150 ms."""
    async with waiting(*QUICK) as client:
        yield client


@pytest.fixture
async def server() -> AsyncIterator[RadiusServer]:
    server = RadiusServer([Nas("127.0.0.0/24", SECRET.octets)], auth=("127.0.0.1", 0), acct=("127.0.0.1", 0))
    server.on_access(lambda request: Accept())
    async with server:
        yield server


@asynccontextmanager
async def fake_nas(server: RadiusServer, answer: Callable[[DynAuthRequest], Answer]) -> AsyncIterator[FakeNas]:
    auth, acct = server.addresses
    async with FakeNas(SECRET.octets, auth=auth, acct=acct, source="127.0.0.7", on_dynauth=answer) as router:
        yield router


@pytest.fixture
async def router(server: RadiusServer) -> AsyncIterator[FakeNas]:
    async with fake_nas(server, answer_as_routeros) as router:
        yield router


def target_at(router: FakeNas) -> Target:
    host, port = router.coa_address
    return Target(1, 1, ip_address(host), port, SECRET, HERE)


async def online(router: FakeNas, service: str = "pppoe", username: str = "alice") -> tuple[FakeSession, LiveSession]:
    session = (await router.login(username, "pw", service=service)).session
    assert session is not None
    return session, LiveSession(1, 1, session.username, session.acct_session_id, session.framed_ip_address)


def disconnecting(client: DynAuthClient, target: Target, count: int = 1) -> list["asyncio.Task[Outcome]"]:
    return [asyncio.create_task(client.disconnect(target, ALICE)) for _ in range(count)]


async def cancel(tasks: Iterable["asyncio.Task[Outcome]"]) -> None:
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in ended} == {asyncio.CancelledError}


# What comes of a request


@pytest.mark.parametrize("service", ["pppoe", "l2tp", "hotspot", "dhcp"])
async def test_a_disconnect_ends_the_session_that_is_named_and_no_other(
    router: FakeNas, client: DynAuthClient, service: str
) -> None:
    other, _ = await online(router, service)
    session, live = await online(router, service)

    outcome = await client.disconnect(target_at(router), disconnect_attributes(live))

    assert outcome[:3] == (DONE, None, 1)
    assert 0 <= outcome.seconds < 30
    assert not session.online
    assert other.online


async def test_a_change_reaches_the_session_and_it_stays_up(router: FakeNas, client: DynAuthClient) -> None:
    session, live = await online(router)

    outcome = await client.change(target_at(router), coa_attributes(live, FASTER))

    assert outcome.result is ReactionResult.APPLIED
    assert session.online
    assert MIKROTIK_RATE_LIMIT.first(session.changes[0]) == "50M/50M"


async def test_a_request_is_signed_dated_and_leaves_from_the_address_that_is_reported_to(client: DynAuthClient) -> None:
    async with scripted(acknowledge) as nas:
        before = int(time())
        await client.disconnect(nas.target._replace(local=ip_address("127.0.0.9")), ALICE)
        datagram, source = await nas.next()

    packet = decode(datagram)
    assert source[0] == "127.0.0.9"
    assert packet.code == Code.DISCONNECT_REQUEST
    assert [kind for kind, _ in packet.attributes] == [80, 55, 1, 44]
    assert before <= (EVENT_TIMESTAMP.first(packet) or 0) <= time()


@pytest.mark.parametrize(
    ("code", "cause", "result"),
    [
        (Code.COA_NAK, ErrorCause.SESSION_CONTEXT_NOT_FOUND, ReactionResult.ALREADY_GONE),
        (Code.COA_NAK, ErrorCause.UNSUPPORTED_ATTRIBUTE, ReactionResult.REFUSED),
        (Code.COA_NAK, None, ReactionResult.REFUSED),
    ],
)
async def test_a_refusal_is_told_with_its_cause(
    client: DynAuthClient, code: Code, cause: ErrorCause | None, result: ReactionResult
) -> None:
    pairs = [ERROR_CAUSE(cause)] if cause else []
    async with scripted(lambda request: acknowledge(request, *pairs, code=code)) as nas:
        outcome = await client.change(nas.target, ALICE + FASTER)
    assert outcome[:2] == (result, cause)
    assert client.counters.results == {result: 1}


async def test_a_session_that_the_router_has_lost_is_gone(router: FakeNas, client: DynAuthClient) -> None:
    session, live = await online(router)
    session.end()
    outcome = await client.disconnect(target_at(router), disconnect_attributes(live))
    assert outcome[:2] == (ReactionResult.ALREADY_GONE, 503)


# Loss


async def test_the_same_octets_are_sent_until_an_answer_comes(hasty: DynAuthClient) -> None:
    async with scripted() as nas:
        nas.answer = lambda request: acknowledge(request) if len(nas.asked) == 3 else None
        outcome = await hasty.change(nas.target, ALICE + FASTER)
    assert outcome[:3] == (ReactionResult.APPLIED, None, 3)
    assert len(nas.asked) == 3
    assert len(set(nas.asked)) == 1


async def test_no_answer_is_an_outcome(server: RadiusServer, hasty: DynAuthClient) -> None:
    async with fake_nas(server, lambda _: None) as router:
        session, live = await online(router)
        outcome = await hasty.disconnect(target_at(router), disconnect_attributes(live))
    assert outcome[:3] == (ReactionResult.NO_ANSWER, None, 3)
    assert 0.9 * sum(QUICK) <= outcome.seconds < 10
    assert outcome.badly_signed == 0
    assert session.online


async def test_a_lost_answer_does_not_make_the_router_act_twice(router: FakeNas) -> None:
    """Between both, a relay loses the first answer; the router knows the retransmission by its octets."""
    session, live = await online(router)
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    behind = UdpSocket(lambda answer, _: answers.put_nowait(answer))
    await behind.open(("127.0.0.1", 0))
    async with waiting(0.2, 30.0) as client, scripted() as relay:
        asking = asyncio.create_task(client.change(relay.target, coa_attributes(live, FASTER)))
        seen = []
        for _ in range(2):
            request, source = await relay.next()
            await behind.send(request, router.coa_address)
            seen.append(await asyncio.wait_for(answers.get(), 10))
        await relay.socket.send(seen[1], source)
        outcome = await asking
    await behind.close()

    assert outcome[:3] == (ReactionResult.APPLIED, None, 2)
    assert seen[0] == seen[1]
    assert len(session.changes) == 1


async def test_a_port_where_nobody_listens_is_no_answer_and_holds_up_nobody(hasty: DynAuthClient) -> None:
    async with scripted() as nas:
        closed = nas.target
    async with scripted(acknowledge) as nas:
        (silent,) = disconnecting(hasty, closed)
        assert (await hasty.disconnect(nas.target, ALICE))[:3] == (DONE, None, 1)
        assert (await silent).result is ReactionResult.NO_ANSWER


async def test_an_address_that_cannot_be_sent_to_is_no_answer_and_holds_up_nobody(hasty: DynAuthClient) -> None:
    """The kernel refuses; what is sent to others on the same socket right after must not suffer for it."""
    refused = Target(1, 2, IPv4Address("255.255.255.255"), 3799, SECRET)
    async with scripted(acknowledge) as nas:
        (lost,) = disconnecting(hasty, refused)
        while not lost.done():
            assert (await hasty.disconnect(nas.target, ALICE))[:3] == (DONE, None, 1)
        assert (await lost)[:3] == (ReactionResult.NO_ANSWER, None, 3)


# Which answers are believed


def flip_last(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


FORGERIES: list[tuple[Callable[[bytes], bytes], Ignored]] = [
    (lambda request: acknowledge(request, secret=OTHER), Ignored.BAD_AUTHENTICATOR),
    (lambda request: flip_last(acknowledge(request)), Ignored.BAD_AUTHENTICATOR),
    (lambda request: flip_last(acknowledge(request, PROXY_STATE(b"x"))), Ignored.BAD_AUTHENTICATOR),
    (lambda request: acknowledge(request, (80, bytes(16))), Ignored.BAD_AUTHENTICATOR),
    (lambda request: acknowledge(request, code=Code.COA_ACK), Ignored.WRONG_CODE),
    (lambda request: acknowledge(request, code=Code.ACCESS_ACCEPT), Ignored.WRONG_CODE),
    (lambda request: acknowledge(request, code=Code.DISCONNECT_REQUEST), Ignored.WRONG_CODE),
    (lambda request: bytes((41, request[1] ^ 1)) + acknowledge(request)[2:], Ignored.NOT_ASKED),
    (lambda request: acknowledge(request)[:-1], Ignored.MALFORMED),
    (lambda request: acknowledge(request)[:3] + b"\x13" + acknowledge(request)[4:], Ignored.MALFORMED),
    (lambda request: b"\x29", Ignored.MALFORMED),
]


@pytest.mark.parametrize(("forge", "reason"), FORGERIES)
async def test_a_forged_answer_is_ignored_and_counted_and_the_right_one_is_taken(
    client: DynAuthClient, forge: Callable[[bytes], bytes], reason: Ignored
) -> None:
    async with scripted() as nas:
        (asking,) = disconnecting(client, nas.target)
        request, source = await nas.next()
        await nas.socket.send(forge(request), source)
        await until(lambda: client.counters.ignored == {reason: 1})
        await nas.socket.send(acknowledge(request), source)
        outcome = await asking
    assert outcome[:3] == (DONE, None, 1)
    assert outcome.badly_signed == (reason is Ignored.BAD_AUTHENTICATOR)


@pytest.mark.parametrize("elsewhere", ["127.0.0.1", "127.0.0.2"])
async def test_an_answer_from_another_address_or_port_is_ignored(client: DynAuthClient, elsewhere: str) -> None:
    async with scripted() as nas, scripted(host=elsewhere) as stranger:
        (asking,) = disconnecting(client, nas.target)
        request, source = await nas.next()
        await stranger.socket.send(acknowledge(request), source)
        await until(lambda: client.counters.ignored == {Ignored.NOT_ASKED: 1})
        await nas.socket.send(acknowledge(request, code=Code.DISCONNECT_NAK), source)
        assert (await asking).result is ReactionResult.REFUSED


async def test_wrongly_signed_answers_alone_are_no_answer_and_told(hasty: DynAuthClient) -> None:
    async with scripted(lambda request: acknowledge(request, secret=OTHER)) as nas:
        outcome = await hasty.disconnect(nas.target, ALICE)
    assert outcome.result is ReactionResult.NO_ANSWER
    assert outcome.badly_signed == 3


async def test_an_answer_that_comes_twice_is_taken_once(client: DynAuthClient) -> None:
    async with scripted() as nas:
        (asking,) = disconnecting(client, nas.target)
        request, source = await nas.next()
        for _ in range(2):
            await nas.socket.send(acknowledge(request), source)
        assert (await asking).result is DONE
        await until(lambda: client.counters.ignored == {Ignored.NOT_ASKED: 1})


# Many at once


async def test_three_hundred_requests_wait_for_one_nas_at_once(client: DynAuthClient) -> None:
    """None is answered before all are there, and one socket has only 256 identifiers."""
    async with scripted() as nas:
        asking = disconnecting(client, nas.target, 300)
        asked = [await nas.next() for _ in range(300)]
        for request, source in asked:
            await nas.socket.send(acknowledge(request), source)
        outcomes = await asyncio.gather(*asking)

    assert {outcome[:3] for outcome in outcomes} == {(DONE, None, 1)}
    assert len({source for _, source in asked}) == 2
    assert len({(source, request[1]) for request, source in asked}) == 300
    assert client.counters.datagrams == client.counters.requests[Code.DISCONNECT_REQUEST] == 300


async def test_an_identifier_is_not_given_to_others_while_its_request_waits(client: DynAuthClient) -> None:
    async with scripted() as nas:
        (held,) = disconnecting(client, nas.target)
        request, source = await nas.next()
        nas.answer = acknowledge
        for _ in range(300):
            await client.disconnect(nas.target, ALICE)
        await nas.socket.send(acknowledge(request, code=Code.DISCONNECT_NAK), source)
        assert (await held).result is ReactionResult.REFUSED
    assert [asked.datagram[1] for asked in nas.asked].count(request[1]) == 1


async def test_three_hundred_sessions_of_a_router_are_changed_at_once(router: FakeNas) -> None:
    sessions = [await online(router, username=f"customer{number}") for number in range(300)]
    async with DynAuthClient(anybody) as client:
        outcomes = await asyncio.gather(
            *(client.change(target_at(router), coa_attributes(live, FASTER)) for _, live in sessions)
        )
    assert {outcome.result for outcome in outcomes} == {ReactionResult.APPLIED}
    assert all(len(session.changes) == 1 for session, _ in sessions)


async def test_sockets_are_bounded_and_the_rest_wait_their_turn() -> None:
    async with waiting(30.0, max_sockets=1) as client, scripted() as nas:
        asking = disconnecting(client, nas.target, 600)
        first = [await nas.next() for _ in range(256)]
        assert len({request[1] for request, _ in first}) == len(nas.asked) == 256
        for request, source in first:
            await nas.socket.send(acknowledge(request), source)
            nas.answer = acknowledge
        outcomes = await asyncio.gather(*asking)
    assert {outcome[:3] for outcome in outcomes} == {(DONE, None, 1)}
    assert len({source for _, source in nas.asked}) == 1


async def test_a_silent_nas_does_not_hold_up_another() -> None:
    async with waiting(30.0, max_sockets=1) as client, scripted() as silent, scripted(acknowledge) as nas:
        asking = disconnecting(client, silent.target, 300)
        await until(lambda: len(silent.asked) == 256)
        assert (await client.disconnect(nas.target, ALICE)).result is DONE
        await cancel(asking)


# Whom it asks


async def test_only_a_registered_device_of_the_isp_is_asked() -> None:
    devices = NasTable([Nas("127.0.0.1", b"one", isp_id=1, id=1), Nas("127.0.0.2", b"two", isp_id=2, id=2)])
    async with waiting(30.0, may_send_to=registered_in(devices)) as client, scripted(acknowledge) as nas:
        for isp_id, nas_id in [(2, 2), (2, 1), (1, 2), (3, 1)]:
            with pytest.raises(NotSent, match=f"127.0.0.1 is not the address of device {nas_id} of ISP {isp_id}"):
                await client.change(nas.target._replace(isp_id=isp_id, nas_id=nas_id), ALICE)
        assert (await client.change(nas.target, ALICE)).result is ReactionResult.APPLIED
    assert len(nas.asked) == client.counters.datagrams == 1


async def test_a_device_that_was_deleted_is_not_asked_any_more() -> None:
    devices = NasTable([Nas("127.0.0.0/24", SECRET.octets, isp_id=1, id=1)])
    async with waiting(30.0, may_send_to=registered_in(devices)) as client, scripted(acknowledge) as nas:
        await client.disconnect(nas.target, ALICE)
        devices.apply(NasChange(1, 1, None))
        with pytest.raises(NotSent):
            await client.disconnect(nas.target, ALICE)
    assert len(nas.asked) == 1


async def test_two_isps_with_equal_sessions_at_one_address_each_reach_their_own(server: RadiusServer) -> None:
    """Two routers behind one address, told apart by port and secret."""
    devices = [Nas("127.0.0.7", SECRET.octets, isp_id=1, id=1), Nas("127.0.0.7", OTHER.octets, isp_id=2, id=1)]
    async with (
        fake_nas(server, answer_as_routeros) as of_one,
        FakeNas(OTHER.octets, auth=server.addresses[0], source="127.0.0.7") as of_two,
        waiting(*QUICK, may_send_to=registered_in(NasTable(devices))) as client,
    ):
        session, live = await online(of_one)
        at_two = Target(2, 1, *_place(of_two.coa_address), OTHER, HERE)

        outcome = await client.disconnect(at_two, disconnect_attributes(live._replace(isp_id=2)))
        assert outcome.result is ReactionResult.ALREADY_GONE
        assert session.online

        wrong = await client.disconnect(at_two._replace(secret=SECRET), disconnect_attributes(live))
        assert wrong.result is ReactionResult.NO_ANSWER
        assert "another shared secret" in of_two.ignored[-1]


def _place(address: Address) -> tuple[IPv4Address, int]:
    return IPv4Address(address[0]), address[1]


def test_a_target_has_the_secret_that_the_device_used_last() -> None:
    at = IPv4Address("10.0.0.1")
    entry = NasTable([Nas("10.0.0.1", b"new", isp_id=3, id=7, outgoing_secret=b"old", coa_port=1700)]).get(3, 7)
    assert entry is not None
    assert target_of(entry, at, HERE)[:4] == (3, 7, at, 1700)
    assert target_of(entry, at, HERE).local == HERE
    assert target_of(entry, at, None).secret.octets == b"new"
    entry.proved_with(SharedSecret(b"old"))
    assert target_of(entry, at, None).secret.octets == b"old"
    assert "old" not in repr(target_of(entry, at, None))


# Sockets, and their end


@pytest.mark.parametrize("local", [None, "::1"])
async def test_asks_over_ipv6(client: DynAuthClient, local: str | None) -> None:
    async with scripted(acknowledge, host="::1") as nas:
        target = nas.target._replace(local=ip_address(local) if local else None)
        assert (await client.disconnect(target, ALICE)).result is DONE
    assert nas.asked[0].source[0] == "::1"


@pytest.mark.parametrize(
    ("local", "message"),
    [("192.0.2.1", "cannot send from 192.0.2.1: "), ("::1", "127.0.0.1 cannot be reached from ::1")],
)
async def test_an_address_that_nothing_can_be_sent_from_is_said(
    client: DynAuthClient, local: str, message: str
) -> None:
    async with scripted(acknowledge) as nas:
        with pytest.raises(NotSent, match=message):
            await client.disconnect(nas.target._replace(local=ip_address(local)), ALICE)
        assert not nas.asked
        assert (await client.disconnect(nas.target, ALICE)).result is DONE


async def test_who_is_cancelled_gives_his_identifier_back() -> None:
    async with waiting(30.0, max_sockets=1) as client, scripted() as nas:
        for count in (256, 512):
            asking = disconnecting(client, nas.target, 300)
            await until(lambda count=count: len(nas.asked) == count)  # type: ignore[misc]  # bound per round
            await cancel(asking)
        nas.answer = acknowledge
        assert (await client.disconnect(nas.target, ALICE)).result is DONE
    assert client.counters.results == {DONE: 1}


async def test_closing_tells_who_waits_that_nobody_knows() -> None:
    async with scripted() as nas:
        client = waiting(30.0, max_sockets=1)
        asking = disconnecting(client, nas.target, 300)
        await until(lambda: len(nas.asked) == 256)
        await client.close()
        ended = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(one) for one in ended] == [ClientClosed] * 300
        await client.close()
        with pytest.raises(ClientClosed):
            await client.disconnect(nas.target, ALICE)


async def test_a_socket_that_broke_is_replaced(hasty: DynAuthClient) -> None:
    async with scripted(acknowledge) as nas:
        await hasty.disconnect(nas.target, ALICE)
        (broken,) = hasty._pool._sockets["0.0.0.0"]
        broken._stream.close()
        await until(lambda: not broken.alive)
        assert (await hasty.disconnect(nas.target, ALICE)).result is DONE
        assert broken not in hasty._pool._sockets["0.0.0.0"]
    assert len({source for _, source in nas.asked}) == 2


async def test_a_request_that_no_packet_holds_is_refused(client: DynAuthClient) -> None:
    async with scripted(acknowledge) as nas:
        with pytest.raises(ValueError, match="at most 4096 fit"):
            await client.change(nas.target, FASTER * 500)
        assert (await client.change(nas.target, ALICE)).result is ReactionResult.APPLIED
