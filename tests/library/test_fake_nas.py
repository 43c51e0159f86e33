"""FakeNas asks as RouterOS asks and believes only what a router would believe."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest
from pyrad.dictionary import Dictionary
from pyrad.packet import AuthPacket

from radiuscore import Accept, AccessRequest, AccountingEvent, AcctStatusType, Nas, RadiusServer, Reject
from radiuscore.testing import BadProof, FakeNas, Method, NoReply, Service
from radiuscore.testing.udp import Address, UdpSocket
from radiuscore.wire import mppe, mschap, rfc
from radiuscore.wire.authenticator import verify_message_authenticator
from radiuscore.wire.codes import Code, TerminateCause
from radiuscore.wire.microsoft import MS_CHAP2_RESPONSE, MS_CHAP2_SUCCESS, MS_CHAP_CHALLENGE
from radiuscore.wire.mikrotik import MIKROTIK_HOST_IP, MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import Pair, decode, encode_attributes, encode_reply
from radiuscore.wire.secret import SharedSecret
from radiuscore.wire.wispr import WISPR_LOGOFF_URL

SECRET = b"s3cret"
PASSWORD = "pässword"
SESSION_CLASS = b"sixteen octets!!"

Script = Callable[[bytes, Address], bytes | None]


class Customers:
    """The other side: one customer, one device known by its MAC, and a list of what was reported."""

    def __init__(self) -> None:
        self.requests: list[AccessRequest] = []
        self.events: list[AccountingEvent] = []

    def access(self, request: AccessRequest) -> Accept | Reject:
        self.requests.append(request)
        if request.username == "alice" and request.proves(PASSWORD):
            return Accept(
                MIKROTIK_RATE_LIMIT("10M/50M"),
                rfc.FRAMED_IP_ADDRESS(IPv4Address("100.64.0.7")),
                rfc.ACCT_INTERIM_INTERVAL(300),
                rfc.CLASS(SESSION_CLASS),
            )
        if request.proves_mac():
            return Accept()
        return Reject("bad_credentials", "Wrong name or password.")

    async def accounting(self, event: AccountingEvent) -> None:
        self.events.append(event)


@pytest.fixture
def customers() -> Customers:
    return Customers()


@pytest.fixture
async def nas(customers: Customers) -> AsyncIterator[FakeNas]:
    server = RadiusServer([Nas("127.0.0.0/24", SECRET)], auth=("127.0.0.1", 0), acct=("127.0.0.1", 0))
    server.on_access(customers.access)
    server.on_accounting(customers.accounting)
    async with server:
        auth, acct = server.addresses
        async with FakeNas(SECRET, auth=auth, acct=acct, source="127.0.0.7", timeout_s=5) as nas:
            yield nas


@asynccontextmanager
async def scripted(script: Script, **options: Any) -> AsyncIterator[FakeNas]:
    """A NAS whose server is a function from datagram to reply."""
    server = UdpSocket(script)
    await server.open(("127.0.0.1", 0))
    try:
        async with FakeNas(SECRET, auth=server.address, acct=server.address, **{"timeout_s": 0.02} | options) as nas:
            yield nas
    finally:
        await server.close()


def reply_to(
    datagram: bytes, code: int, *pairs: Pair, secret: bytes = SECRET, sign: bool = True, attributes: bytes = b""
) -> bytes:
    request = decode(datagram)
    attributes += encode_attributes(pairs)
    return encode_reply(code, request.identifier, request.authenticator, attributes, SharedSecret(secret), sign=sign)


@pytest.mark.parametrize("method", list(Method))
async def test_logs_in_with_each_method(nas: FakeNas, customers: Customers, method: Method) -> None:
    login = await nas.login("alice", PASSWORD, method)

    assert login.accepted
    assert login.get(MIKROTIK_RATE_LIMIT) == "10M/50M"
    assert (login.mppe_keys is not None) == (method in (Method.MSCHAPV1, Method.MSCHAPV2))
    assert customers.requests[-1].credential.method == method
    assert nas.address[0] == "127.0.0.7"


@pytest.mark.parametrize("method", ["pap", "chap", "mschapv1", "mschapv2"])
async def test_a_wrong_password_is_rejected_with_the_servers_words(nas: FakeNas, method: str) -> None:
    login = await nas.login("alice", "guess", method)

    assert not login.accepted
    assert login.session is None
    assert login.reason == "Wrong name or password."


async def test_without_reply_message_the_reason_is_the_error_of_mschap() -> None:
    server = RadiusServer([Nas("127.0.0.1", SECRET)], auth=("127.0.0.1", 0), acct=("127.0.0.1", 0))
    server.on_access(lambda request: Reject("bad_credentials"))
    async with server, FakeNas(SECRET, auth=server.addresses[0]) as nas:
        login = await nas.login("alice", "guess", "mschapv2")
    assert login.reason.startswith("E=691 R=0 C=")


@pytest.mark.parametrize(
    ("service", "password", "calling"),
    [
        (Service.HOTSPOT, "", "00:E1:0C:38:C8:F8"),
        (Service.DHCP, "", "1:0:e1:c:38:c8:f8"),
        (Service.WIRELESS, "", "00-E1-0C-38-C8-F8"),
        (Service.WIRELESS, "00:E1:0C:38:C8:F8", "00-E1-0C-38-C8-F8"),
    ],
)
async def test_a_mac_login_has_the_form_of_its_service(
    nas: FakeNas, customers: Customers, service: Service, password: str, calling: str
) -> None:
    login = await nas.mac_login("00e1.0c38.c8f8", service=service, password=password)

    assert login.accepted
    request = customers.requests[-1]
    assert request.username == "00:E1:0C:38:C8:F8"
    assert request.calling_station_id == calling
    assert request.calling_mac == bytes.fromhex("00e10c38c8f8")


@pytest.mark.parametrize(
    ("service", "present", "absent"),
    [
        (Service.PPPOE, (rfc.FRAMED_PROTOCOL, rfc.NAS_PORT_ID), (rfc.FRAMED_IP_ADDRESS,)),
        (Service.L2TP, (rfc.FRAMED_PROTOCOL, rfc.ACCT_SESSION_ID), (rfc.NAS_PORT_ID,)),
        (Service.HOTSPOT, (MIKROTIK_HOST_IP, WISPR_LOGOFF_URL, rfc.NAS_PORT_ID), (rfc.FRAMED_PROTOCOL,)),
        (Service.DHCP, (rfc.NAS_PORT, rfc.FRAMED_IP_ADDRESS), (rfc.SERVICE_TYPE, rfc.ACCT_SESSION_ID)),
        (Service.WIRELESS, (rfc.ACCT_MULTI_SESSION_ID, rfc.CALLED_STATION_ID), (rfc.FRAMED_IP_ADDRESS,)),
    ],
)
async def test_each_service_sends_its_own_attributes(
    nas: FakeNas, customers: Customers, service: Service, present: tuple[Any, ...], absent: tuple[Any, ...]
) -> None:
    await nas.login("alice", PASSWORD, service=service)

    packet = customers.requests[-1].packet
    assert not [attribute for attribute in (*present, rfc.NAS_IDENTIFIER) if attribute.first(packet) is None]
    assert not [attribute for attribute in absent if attribute.first(packet) is not None]
    assert rfc.NAS_IP_ADDRESS.first(packet) == IPv4Address("127.0.0.7")
    assert packet.attributes[-1][0] == rfc.MESSAGE_AUTHENTICATOR.type


async def test_a_hotspot_login_has_the_attributes_of_a_capture_in_their_order(
    nas: FakeNas, customers: Customers
) -> None:
    await nas.login("alice", PASSWORD, "chap", service="hotspot")

    packet = customers.requests[-1].packet
    types = [kind for kind, _ in packet.attributes]
    assert types == [61, 31, 30, 87, 1, 5, 44, 8, 26, 60, 3, 6, 26, 32, 4, 80]
    assert rfc.NAS_PORT.first(packet) == int(rfc.ACCT_SESSION_ID.first(packet) or "", 16)


async def test_pyrad_reads_what_it_sends() -> None:
    datagrams: list[bytes] = []

    def keep(datagram: bytes, _: Address) -> bytes:
        datagrams.append(datagram)
        return reply_to(datagram, Code.ACCESS_REJECT)

    async with scripted(keep) as nas:
        await nas.login("alice", PASSWORD)
        await nas.login("alice", PASSWORD, "chap")
    names = Dictionary(io.StringIO("ATTRIBUTE CHAP-Challenge 60 octets\nATTRIBUTE CHAP-Password 3 octets\n"))
    pap, chap = (AuthPacket(secret=SECRET, packet=octets, dict=names) for octets in datagrams)
    assert pap.PwDecrypt(pap[2][0]) == PASSWORD
    assert chap.VerifyChapPasswd(PASSWORD.encode())
    assert pap.verify_message_authenticator()


async def test_a_session_reports_start_interim_and_stop(nas: FakeNas, customers: Customers) -> None:
    session = (await nas.login("alice", PASSWORD, mac="00:0C:42:00:00:01")).session
    assert session is not None
    assert nas.sessions == {session.acct_session_id: session}

    await session.start()
    await session.interim(session_time=300, input_octets=5_000_000_000, output_octets=70_000_000_000)
    await session.stop(session_time=600, output_octets=80_000_000_000, terminate_cause=TerminateCause.LOST_CARRIER)

    start, interim, stop = customers.events
    assert [event.status for event in customers.events] == [1, 3, 2]
    assert {event.acct_session_id for event in customers.events} == {session.acct_session_id}
    assert {event.session_uuid for event in customers.events} == {SESSION_CLASS}
    assert {event.framed_ip_address for event in customers.events} == {IPv4Address("100.64.0.7")}
    assert {event.calling_station_id for event in customers.events} == {"00:0C:42:00:00:01"}
    assert (start.session_time, start.input_octets) == (None, None)
    assert (interim.session_time, interim.input_octets, interim.output_octets) == (300, 5_000_000_000, 70_000_000_000)
    assert (stop.session_time, stop.input_octets, stop.output_octets) == (600, 5_000_000_000, 80_000_000_000)
    assert stop.terminate_cause == TerminateCause.LOST_CARRIER
    assert session.interim_interval_s == 300
    assert not nas.sessions


async def test_session_ids_name_service_and_reboot(nas: FakeNas) -> None:
    first = await nas.login("alice", PASSWORD)
    hotspot = await nas.login("alice", PASSWORD, service="hotspot")
    assert first.session is not None
    assert hotspot.session is not None
    nas.reboot()
    after = await nas.login("alice", PASSWORD)

    assert after.session is not None
    assert first.session.acct_session_id == "81000001"
    assert hotspot.session.acct_session_id == "80000002"
    assert after.session.acct_session_id == "81100001"
    assert list(nas.sessions) == ["81100001"]
    assert not first.session.online


async def test_the_router_itself_reports_on_and_off(nas: FakeNas, customers: Customers) -> None:
    await nas.accounting_on()
    await nas.accounting_off()
    assert [event.status for event in customers.events] == [
        AcctStatusType.ACCOUNTING_ON,
        AcctStatusType.ACCOUNTING_OFF,
    ]
    assert customers.events[0].nas_identifier == "MikroTik"


async def test_asks_both_ports_for_their_status(nas: FakeNas) -> None:
    assert (await nas.status()).code == Code.ACCESS_ACCEPT
    assert (await nas.status(acct=True)).code == Code.ACCOUNTING_RESPONSE


async def test_a_request_is_sent_again_in_the_same_octets_until_it_is_answered() -> None:
    seen: list[bytes] = []

    def third_time(datagram: bytes, _: Address) -> bytes | None:
        seen.append(datagram)
        return reply_to(datagram, Code.ACCESS_ACCEPT) if len(seen) == 3 else None

    async with scripted(third_time, tries=3) as nas:
        assert (await nas.login("alice", PASSWORD)).accepted
        assert nas.sent == 3
    assert len(seen) == 3
    assert len(set(seen)) == 1


async def test_silence_is_an_error_that_says_what_was_tried() -> None:
    async with scripted(lambda *_: None, tries=2) as nas:
        with pytest.raises(NoReply, match=r"did not answer ACCESS_REQUEST, sent 2 times, 0\.02 s apart$"):
            await nas.login("alice", PASSWORD)
        with pytest.raises(NoReply, match="ACCOUNTING_REQUEST"):
            await nas.accounting_on()


def faults() -> Iterator[tuple[str, Script]]:
    message_authenticator = bytes((80, 18)) + bytes(16)
    yield "another shared secret", lambda octets, _: reply_to(octets, 2, secret=b"other")
    yield "no Message-Authenticator", lambda octets, _: reply_to(octets, 2, sign=False)
    yield "authenticator is wrong", lambda octets, _: reply_to(octets, 2, sign=False, attributes=message_authenticator)
    yield "does not answer ACCESS_REQUEST", lambda octets, _: reply_to(octets, 5)
    yield "malformed", lambda octets, _: reply_to(octets, 2)[:-1]


@pytest.mark.parametrize(("fault", "script"), [pytest.param(*one, id=one[0]) for one in faults()])
async def test_a_reply_that_cannot_be_believed_is_ignored_and_named(fault: str, script: Script) -> None:
    async with scripted(script, tries=1) as nas:
        with pytest.raises(NoReply, match=fault) as caught:
            await nas.login("alice", PASSWORD)
    assert len(caught.value.ignored) == 1


async def test_a_message_authenticator_that_is_not_first_is_not_believed() -> None:
    def last(datagram: bytes, _: Address) -> bytes:
        request, secret = decode(datagram), SharedSecret(SECRET)
        pairs = encode_attributes([rfc.REPLY_MESSAGE("hello"), rfc.MESSAGE_AUTHENTICATOR(bytes(16))])
        unsigned = bytes((2, request.identifier)) + (20 + len(pairs)).to_bytes(2, "big")
        signature = secret.hmac_md5(unsigned + request.authenticator + pairs)
        return reply_to(datagram, 2, sign=False, attributes=pairs[:-16] + signature)

    async with scripted(last, tries=1) as nas:
        with pytest.raises(NoReply, match="not the first"):
            await nas.login("alice", PASSWORD)
    async with scripted(last, tries=1, require_message_auth=False) as nas:
        assert (await nas.login("alice", PASSWORD)).reason == "hello"


async def test_a_late_good_reply_wins_over_a_bad_one() -> None:
    seen: list[bytes] = []

    def forged_then_right(datagram: bytes, _: Address) -> bytes:
        seen.append(datagram)
        return reply_to(datagram, 3 if len(seen) == 1 else 2, secret=b"forged" if len(seen) == 1 else SECRET)

    async with scripted(forged_then_right) as nas:
        assert (await nas.login("alice", PASSWORD)).accepted


async def test_an_older_router_neither_signs_nor_asks_for_signatures() -> None:
    seen: list[bytes] = []

    def unsigned(datagram: bytes, _: Address) -> bytes:
        seen.append(datagram)
        return reply_to(datagram, 2, sign=False)

    async with scripted(unsigned, require_message_auth=False) as nas:
        assert (await nas.login("alice", PASSWORD)).accepted
    assert not [pair for pair in decode(seen[0]).attributes if pair[0] == 80]


@pytest.mark.parametrize("pairs", [(), (MS_CHAP2_SUCCESS(b"\1S=" + b"0" * 40),)])
async def test_mschapv2_must_be_proved_by_the_server_too(pairs: tuple[Pair, ...]) -> None:
    async with scripted(lambda octets, _: reply_to(octets, 2, *pairs)) as nas:
        with pytest.raises(BadProof, match="MS-CHAP2-Success"):
            await nas.login("alice", PASSWORD, "mschapv2")


@pytest.mark.parametrize("method", ["mschapv1", "mschapv2"])
async def test_keys_for_encryption_must_be_those_of_the_login(method: str) -> None:
    """Keys hidden with another authenticator than the request's decrypt to something else."""

    def wrong_keys(datagram: bytes, _: Address) -> bytes:
        request = decode(datagram)
        secret, hashed_hash, other = SharedSecret(SECRET), mschap.nt_hash_hash(mschap.nt_hash(PASSWORD)), bytes(16)
        if method == "mschapv1":
            return reply_to(datagram, 2, attributes=mppe.v1_attributes(hashed_hash, secret, other))
        response = MS_CHAP2_RESPONSE.first(request) or b""
        hashed = mschap.challenge_hash(response[2:18], MS_CHAP_CHALLENGE.first(request) or b"", b"alice")
        success = MS_CHAP2_SUCCESS(response[:1] + mschap.v2_success(hashed_hash, response[26:50], hashed))
        keys = mppe.v2_keys(hashed_hash, response[26:50])
        return reply_to(datagram, 2, success, attributes=mppe.v2_attributes(keys, b"\0\0", secret, other))

    async with scripted(wrong_keys) as nas:
        with pytest.raises(BadProof, match=r"MPPE-Keys|MPPE-Send-Key"):
            await nas.login("alice", PASSWORD, method)


async def test_an_access_request_is_signed_over_all_its_octets() -> None:
    seen: list[bytes] = []

    def keep(datagram: bytes, _: Address) -> bytes:
        seen.append(datagram)
        return reply_to(datagram, 3)

    async with scripted(keep) as nas:
        await nas.login("alice", PASSWORD, "mschapv2", attributes=[rfc.PROXY_STATE(b"\x50\x12")])
    assert verify_message_authenticator(seen[0], decode(seen[0]), SharedSecret(SECRET))


async def test_more_requests_than_identifiers_wait_their_turn(nas: FakeNas) -> None:
    logins = await asyncio.gather(*(nas.login("alice", PASSWORD) for _ in range(300)))

    assert all(login.accepted for login in logins)
    assert len(nas.sessions) == 300
    assert nas.sent == 300


async def test_speaks_ipv6() -> None:
    server = RadiusServer([Nas("::1", SECRET)], auth=("::1", 0), acct=("::1", 0))
    server.on_access(lambda request: Accept())
    async with server, FakeNas(SECRET, auth=server.addresses[0], acct=server.addresses[1]) as nas:
        assert (await nas.login("alice", PASSWORD)).accepted
        assert nas.address[0] == "::1"


async def test_shows_no_secret(nas: FakeNas) -> None:
    login = await nas.login("alice", PASSWORD, "mschapv2")
    assert login.mppe_keys is not None
    shown = f"{login!r} {login.session!r} {nas.secret!r}"
    assert PASSWORD not in shown
    assert SECRET.decode() not in shown
    assert login.mppe_keys.send.hex() not in shown
