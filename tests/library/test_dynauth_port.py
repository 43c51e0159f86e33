"""FakeNas takes CoA and Disconnect as RouterOS does: from its servers, signed, and for a session it has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from radiuscore import Accept, AccountingEvent, AcctStatusType, Nas, RadiusServer
from radiuscore.testing import Ack, Answer, DynAuthRequest, FakeNas, FakeSession, Nak
from radiuscore.testing.udp import Address, UdpSocket
from radiuscore.wire.authenticator import verify_reply
from radiuscore.wire.codes import Code, ErrorCause, TerminateCause
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import Packet, Pair, decode, encode_attributes, encode_request
from radiuscore.wire.rfc import ACCT_SESSION_ID, ERROR_CAUSE, FRAMED_IP_ADDRESS, PROXY_STATE, USER_NAME
from radiuscore.wire.secret import SharedSecret

SECRET = SharedSecret(b"s3cret")
DISCONNECT, COA = Code.DISCONNECT_REQUEST, Code.COA_REQUEST


class Sender:
    """The smallest Dynamic Authorization Client: sends octets, collects what comes back."""

    def __init__(self) -> None:
        self.replies: asyncio.Queue[bytes] = asyncio.Queue()
        self.socket = UdpSocket(self._keep)

    def _keep(self, datagram: bytes, _: Address) -> None:
        self.replies.put_nowait(datagram)

    async def ask(self, nas: FakeNas, code: Code, *pairs: Pair, identifier: int = 1) -> Packet:
        request = encode_request(code, identifier, encode_attributes(pairs), SECRET, sign=True)
        reply = await self.exchange(nas, request)
        assert verify_reply(reply, request, SECRET)
        return decode(reply)

    async def exchange(self, nas: FakeNas, datagram: bytes) -> bytes:
        await self.socket.send(datagram, nas.coa_address)
        async with asyncio.timeout(5):
            return await self.replies.get()

    async def is_ignored(self, nas: FakeNas, datagram: bytes) -> str:
        """Return why the NAS did not answer; a request sent afterwards, which it answers, proves that it will not."""
        await self.socket.send(datagram, nas.coa_address)
        async with sender_at("127.0.0.1") as prober:
            await prober.ask(nas, Code.COA_REQUEST)
        assert self.replies.empty()
        return nas.ignored[-1]


@asynccontextmanager
async def sender_at(host: str) -> AsyncIterator[Sender]:
    sender = Sender()
    await sender.socket.open((host, 0))
    yield sender
    await sender.socket.close()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with sender_at("127.0.0.1") as sender:
        yield sender


@pytest.fixture
async def server() -> AsyncIterator[RadiusServer]:
    server = RadiusServer([Nas("127.0.0.0/24", SECRET.octets)], auth=("127.0.0.1", 0), acct=("127.0.0.1", 0))
    server.on_access(lambda request: Accept())
    async with server:
        yield server


@pytest.fixture
async def nas(server: RadiusServer) -> AsyncIterator[FakeNas]:
    async with FakeNas(SECRET.octets, auth=server.addresses[0], acct=server.addresses[1]) as nas:
        yield nas


async def session_of(nas: FakeNas, username: str = "alice") -> FakeSession:
    session = (await nas.login(username, "pw")).session
    assert session is not None
    return session


async def test_a_disconnect_ends_the_session_it_names(server: RadiusServer, nas: FakeNas, sender: Sender) -> None:
    stops: list[AccountingEvent] = []
    server.on_accounting(stops.append)
    other, session = await session_of(nas), await session_of(nas)

    reply = await sender.ask(nas, DISCONNECT, USER_NAME("alice"), ACCT_SESSION_ID(session.acct_session_id))
    await asyncio.wait_for(session.hung_up(), 5)
    await session.stop()

    assert reply.code == Code.DISCONNECT_ACK
    assert reply.attributes == ()
    assert list(nas.sessions.values()) == [other]
    assert [(event.status, event.terminate_cause) for event in stops] == [
        (AcctStatusType.STOP, TerminateCause.ADMIN_RESET)
    ]


async def test_a_coa_changes_the_session_it_names(nas: FakeNas, sender: Sender) -> None:
    session = await session_of(nas)
    reply = await sender.ask(nas, COA, FRAMED_IP_ADDRESS(session.framed_ip_address), MIKROTIK_RATE_LIMIT("1M/2M"))

    assert reply.code == Code.COA_ACK
    assert [MIKROTIK_RATE_LIMIT.first(change) for change in session.changes] == ["1M/2M"]
    assert session.online
    request = await nas.next_dynauth()
    assert request.session is session
    assert not request.is_disconnect


@pytest.mark.parametrize(
    ("pairs", "cause"),
    [
        ((USER_NAME("bob"),), ErrorCause.SESSION_CONTEXT_NOT_FOUND),
        ((USER_NAME("alice"), ACCT_SESSION_ID("81f00000")), ErrorCause.SESSION_CONTEXT_NOT_FOUND),
        ((MIKROTIK_RATE_LIMIT("1M/2M"),), ErrorCause.MISSING_ATTRIBUTE),
    ],
)
async def test_what_names_no_session_is_refused_with_a_cause(
    nas: FakeNas, sender: Sender, pairs: tuple[Pair, ...], cause: ErrorCause
) -> None:
    session = await session_of(nas)
    for code, nak in ((DISCONNECT, Code.DISCONNECT_NAK), (COA, Code.COA_NAK)):
        reply = await sender.ask(nas, code, *pairs)
        assert reply.code == nak
        assert ERROR_CAUSE.first(reply) == cause
    assert session.online


async def test_a_retransmission_gets_the_same_octets_and_is_not_carried_out_twice(nas: FakeNas, sender: Sender) -> None:
    session = await session_of(nas)
    pairs = encode_attributes([USER_NAME("alice"), PROXY_STATE(b"\0\1"), PROXY_STATE(b"\2")])
    request = encode_request(DISCONNECT, 7, pairs, SECRET)

    first, second = await sender.exchange(nas, request), await sender.exchange(nas, request)

    assert first == second
    assert decode(first).code == Code.DISCONNECT_ACK
    assert list(PROXY_STATE.all(decode(first))) == [b"\0\1", b"\2"]
    assert nas._dynauth.requests.qsize() == 1
    assert not session.online


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Ack((PROXY_STATE(b"x"),)), Code.COA_ACK),
        (Nak(ErrorCause.RESOURCES_UNAVAILABLE), Code.COA_NAK),
        (Nak(), Code.COA_NAK),
    ],
)
async def test_answers_are_configurable(server: RadiusServer, sender: Sender, answer: Answer, code: Code) -> None:
    asked: list[DynAuthRequest] = []

    def on_dynauth(request: DynAuthRequest) -> Answer:
        asked.append(request)
        return answer

    async with FakeNas(SECRET.octets, auth=server.addresses[0], on_dynauth=on_dynauth) as nas:
        reply = await sender.ask(nas, COA, USER_NAME("alice"))
    assert reply.code == code
    assert asked[0].source[0] == "127.0.0.1"


async def test_silence_is_an_answer_too(server: RadiusServer, sender: Sender) -> None:
    async with FakeNas(SECRET.octets, auth=server.addresses[0], on_dynauth=lambda request: None) as nas:
        request = encode_request(COA, 1, encode_attributes([USER_NAME("alice")]), SECRET)
        await sender.socket.send(request, nas.coa_address)
        async with asyncio.timeout(5):
            assert (await nas.next_dynauth()).packet.code == COA
        assert sender.replies.empty()


async def test_only_a_radius_server_with_the_secret_is_answered(nas: FakeNas, sender: Sender) -> None:
    session = await session_of(nas)
    pairs = encode_attributes([USER_NAME("alice")])
    right = encode_request(DISCONNECT, 1, pairs, SECRET, sign=True)
    flipped = bytearray(right)
    flipped[25] ^= 1  # inside Message-Authenticator: the Request Authenticator does not fit either

    assert "another shared secret" in await sender.is_ignored(
        nas, encode_request(DISCONNECT, 1, pairs, SharedSecret(b"x"))
    )
    assert "another shared secret" in await sender.is_ignored(nas, bytes(flipped))
    assert "neither" in await sender.is_ignored(nas, encode_request(Code.ACCOUNTING_REQUEST, 1, pairs, SECRET))
    assert "malformed" in await sender.is_ignored(nas, right[:-1])
    async with sender_at("127.0.0.9") as stranger:
        assert "none of this router's RADIUS servers" in await stranger.is_ignored(nas, right)
    assert session.online


async def test_a_wrong_message_authenticator_is_ignored(nas: FakeNas, sender: Sender) -> None:
    pairs = encode_attributes([(80, bytes(16)), USER_NAME("alice")])
    assert "Message-Authenticator" in await sender.is_ignored(nas, encode_request(DISCONNECT, 1, pairs, SECRET))
