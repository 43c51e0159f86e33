"""A NAS to test a RADIUS server with: it asks as RouterOS asks, and believes only what a router would believe."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address
from os import urandom
from typing import Final, Self, TypeVar

from radiuscore.testing.credentials import Method, Offer, offer
from radiuscore.testing.dynauth import Answerer, DynAuthPort, DynAuthRequest, answer_as_routeros
from radiuscore.testing.link import Link
from radiuscore.testing.routeros import Line, Service, access_attributes, session_id
from radiuscore.testing.session import FakeSession
from radiuscore.testing.udp import Address, plain_address
from radiuscore.wire.attributes import TypedAttribute
from radiuscore.wire.codes import AcctStatusType, Code
from radiuscore.wire.microsoft import MS_CHAP_ERROR
from radiuscore.wire.mppe import MppeKeys
from radiuscore.wire.packet import (
    AUTHENTICATOR_LENGTH,
    Packet,
    Pair,
    encode_attributes,
    encode_request,
)
from radiuscore.wire.rfc import (
    ACCT_DELAY_TIME,
    ACCT_STATUS_TYPE,
    EVENT_TIMESTAMP,
    FRAMED_IP_ADDRESS,
    MESSAGE_AUTHENTICATOR,
    NAS_IDENTIFIER,
    NAS_IP_ADDRESS,
    NAS_IPV6_ADDRESS,
    REPLY_MESSAGE,
)
from radiuscore.wire.secret import SharedSecret

T = TypeVar("T")

ROUTEROS_TRIES: Final = 3
ROUTEROS_TIMEOUT_S: Final = 1.1  # the manual's default of today; RouterOS 6 waited 0.3 s

_POOL: Final = IPv4Address("10.5.50.0")
_POOL_SIZE: Final = 1 << 16
_FIRST_MAC: Final = 0x02_00_5E_00_00_00  # locally administered
_CALLED: Final = {
    Service.PPPOE: "service1",
    Service.L2TP: "203.0.113.1",
    Service.HOTSPOT: "hotspot1",
    Service.DHCP: "dhcp1",
    Service.WIRELESS: "02-00-5E-FF-00-01:wifi",
}
_INTERFACE: Final = {Service.WIRELESS: "wlan1", Service.HOTSPOT: "bridge-hotspot"}
_CHOSEN_BY_NAS: Final = frozenset({IPv4Address("255.255.255.254"), IPv4Address("255.255.255.255")})


@dataclass(frozen=True, slots=True)
class Login:
    """What came of one login.

    ``packet`` is the reply; read it with `get`. ``reason`` is what the customer is told of a reject: Reply-Message,
    else MS-CHAP-Error's text. ``mppe_keys`` are the keys for encrypted PPP, decrypted and found right: MS-CHAPv1's
    one key serves both directions. ``session`` is there if the login was accepted.
    """

    accepted: bool
    packet: Packet
    reason: str
    mppe_keys: MppeKeys | None
    session: FakeSession | None

    def get(self, attribute: TypedAttribute[T]) -> T | None:
        """Return the reply's first value of an attribute, ``None`` if it has none: ``login.get(SESSION_TIMEOUT)``."""
        return attribute.first(self.packet)


class FakeNas:
    """A NAS that behaves as a MikroTik router does, for tests of a RADIUS server::

        async with FakeNas(b"s3cret", auth=("127.0.0.1", 1812), source="127.0.0.7") as nas:
            login = await nas.login("alice", "wonderland", method="mschapv2")
            assert login.accepted
            await login.session.start()
            await login.session.stop(input_octets=5_000_000_000, output_octets=7)

    ``auth`` and ``acct`` are the server's addresses and ports, ``acct`` by default one port above ``auth``. ``source``
    is the address it sends from: any 127.0.0.x is this machine. ``identity`` is the router's name (NAS-Identifier) and
    ``nas_ip_address`` what it thinks its address is, which behind NAT is another one.
    ``require_message_auth`` is the router's setting of that name (RouterOS 7.15 and newer): it signs its
    Access-Requests and ignores replies that are not signed.
    A request is sent up to ``tries`` times, the same octets each time, with ``timeout_s`` of waiting after each.
    ``sessions`` are those that are online, by Acct-Session-Id. CoA and Disconnect are taken on ``coa_port`` (any free
    one by default, see `coa_address`) and answered by ``on_dynauth``, which by default carries them out.
    ``sessions_before`` is how many sessions it has had already: a server that remembers an Acct-Session-Id of the last
    minute takes the same one for the same session, so give each run of a program another number.
    Every method that asks raises `NoReply` when the server stays silent.
    """

    def __init__(
        self,
        secret: bytes | str,
        *,
        auth: Address = ("127.0.0.1", 1812),
        acct: Address | None = None,
        source: str | None = None,
        identity: str = "MikroTik",
        nas_ip_address: str | None = None,
        require_message_auth: bool = True,
        tries: int = ROUTEROS_TRIES,
        timeout_s: float = ROUTEROS_TIMEOUT_S,
        coa_port: int = 0,
        on_dynauth: Answerer = answer_as_routeros,
        sessions_before: int = 0,
    ) -> None:
        self.secret: Final = SharedSecret(secret.encode() if isinstance(secret, str) else secret)
        self.sessions: Final[dict[str, FakeSession]] = {}
        self._auth = plain_address(auth)
        self._acct = plain_address(acct or (auth[0], auth[1] + 1))
        self._source = source or ("::1" if ":" in auth[0] else "127.0.0.1")
        self._itself = _own_attributes(identity, nas_ip_address or self._source)
        self._signs = require_message_auth
        self._coa_port = coa_port
        self._reboots = 0
        self._logins = sessions_before
        self._link = Link(self.secret, require_message_auth, tries, timeout_s)
        servers = frozenset((self._auth[0], self._acct[0]))
        self._dynauth = DynAuthPort(self.secret, on_dynauth, self.sessions, servers)

    async def __aenter__(self) -> Self:
        await self._link.socket.open((self._source, 0))
        try:
            await self._dynauth.socket.open((self._source, self._coa_port))
        except BaseException:
            await self._link.socket.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.socket.close()
        await self._dynauth.socket.close()

    @property
    def address(self) -> Address:
        """Where its requests come from."""
        return self._link.socket.address

    @property
    def coa_address(self) -> Address:
        """Where it takes CoA-Requests and Disconnect-Requests."""
        return self._dynauth.socket.address

    @property
    def sent(self) -> int:
        """How many datagrams it has sent to RADIUS servers, retransmissions included."""
        return self._link.sent

    @property
    def ignored(self) -> Sequence[str]:
        """Why CoA-Requests and Disconnect-Requests got no answer, one line each."""
        return self._dynauth.ignored

    async def next_dynauth(self) -> DynAuthRequest:
        """Wait for the next CoA-Request or Disconnect-Request and return it; it is answered already."""
        return await self._dynauth.requests.get()

    async def login(
        self,
        username: str | bytes,
        password: str | bytes,
        method: Method | str = Method.PAP,
        *,
        service: Service | str = Service.PPPOE,
        mac: str | None = None,
        address: str | None = None,
        attributes: Iterable[Pair] = (),
    ) -> Login:
        """Log a customer in.

        ``mac`` and ``address`` are his device's; each login has new ones by default. ``attributes`` are sent besides.
        Raises `BadProof` if the server accepts MS-CHAP without proving that it knows the password.
        """
        line = self._line(Service(service), _octets(username), mac, address)
        return await self._log_in(line, Method(method), _octets(password), attributes)

    async def mac_login(
        self,
        mac: str,
        *,
        service: Service | str = Service.HOTSPOT,
        password: str = "",
        address: str | None = None,
        attributes: Iterable[Pair] = (),
    ) -> Login:
        """Log a device in by its MAC address, as hotspot, DHCP and wireless do: it is the name, in capitals.

        The password is empty, as RouterOS sends it unless told otherwise: give the MAC once more for a wireless access
        list with ``as-username-and-password``, or the hotspot profile's ``mac-auth-password``.
        """
        octets = _mac_octets(mac)
        line = self._line(Service(service), octets.hex(":").upper().encode(), mac, address)
        return await self._log_in(line, Method.PAP, password.encode(), attributes)

    async def accounting_on(self) -> None:
        """Say that the router has started (RouterOS documents no such packet, other NASes send it)."""
        await self._report([ACCT_STATUS_TYPE(AcctStatusType.ACCOUNTING_ON)], 0)

    async def accounting_off(self) -> None:
        """Say that the router goes down in order."""
        await self._report([ACCT_STATUS_TYPE(AcctStatusType.ACCOUNTING_OFF)], 0)

    def reboot(self) -> None:
        """Lose every session without a word, as at a power cut. The third digit of Acct-Session-Ids steps."""
        for session in tuple(self.sessions.values()):
            session.end()
        self._reboots += 1
        self._logins = 0

    async def status(self, *, acct: bool = False) -> Packet:
        """Ask with Status-Server whether the authentication port, or the accounting port, works (RFC 5997)."""
        server = self._acct if acct else self._auth

        def build(identifier: int) -> bytes:
            octets = encode_attributes(self._itself)
            return encode_request(
                Code.STATUS_SERVER,
                identifier,
                octets,
                self.secret,
                authenticator=urandom(AUTHENTICATOR_LENGTH),
                sign=True,
            )

        return await self._link.ask(server, build)

    async def account(self, attributes: Iterable[Pair]) -> Packet:
        """Send an Accounting-Request with exactly these attributes and return its Accounting-Response."""
        octets = encode_attributes(attributes)

        def build(identifier: int) -> bytes:
            return encode_request(Code.ACCOUNTING_REQUEST, identifier, octets, self.secret)

        return await self._link.ask(self._acct, build)

    def _line(self, service: Service, username: bytes, mac: str | None, address: str | None) -> Line:
        self._logins += 1
        number = self._logins
        return Line(
            service=service,
            username=username,
            session_id=session_id(service, self._reboots, number),
            port=number,
            mac=_mac_octets(mac) if mac is not None else (_FIRST_MAC + number).to_bytes(6, "big"),
            address=IPv4Address(address) if address is not None else _POOL + number % _POOL_SIZE,
            interface=_INTERFACE.get(service, "ether2"),
            called=_CALLED[service],
        )

    async def _log_in(self, line: Line, method: Method, password: bytes, attributes: Iterable[Pair]) -> Login:
        authenticator = urandom(AUTHENTICATOR_LENGTH)
        offered = offer(method, line.username, password, self.secret, authenticator, urandom)
        pairs = [*access_attributes(line, offered.attributes), *attributes, *self._itself]
        reply = await self._link.ask(
            self._auth, lambda identifier: self._access_request(identifier, authenticator, pairs)
        )
        if reply.code != Code.ACCESS_ACCEPT:
            return Login(False, reply, _reason(reply), None, None)
        return self._accepted(line, reply, offered, authenticator)

    def _accepted(self, line: Line, reply: Packet, offered: Offer, authenticator: bytes) -> Login:
        keys = offered.verify_accept(reply, self.secret, authenticator)
        address = FRAMED_IP_ADDRESS.first(reply)
        if address is not None and address not in _CHOSEN_BY_NAS:
            line = replace(line, address=address)
        session = FakeSession(line, reply, self._report, self._forget)
        self.sessions[session.acct_session_id] = session
        return Login(True, reply, _reason(reply), keys, session)

    def _access_request(self, identifier: int, authenticator: bytes, pairs: Iterable[Pair]) -> bytes:
        """Return the datagram; a router puts its Message-Authenticator last."""
        if not self._signs:
            octets = encode_attributes(pairs)
            return encode_request(Code.ACCESS_REQUEST, identifier, octets, self.secret, authenticator=authenticator)
        octets = encode_attributes([*pairs, MESSAGE_AUTHENTICATOR(bytes(AUTHENTICATOR_LENGTH))])
        unsigned = encode_request(Code.ACCESS_REQUEST, identifier, octets, self.secret, authenticator=authenticator)
        return unsigned[:-AUTHENTICATOR_LENGTH] + self.secret.hmac_md5(unsigned)

    def _forget(self, session: FakeSession) -> None:
        self.sessions.pop(session.acct_session_id, None)

    async def _report(self, pairs: Sequence[Pair], delay_time: int) -> None:
        clock = [EVENT_TIMESTAMP(int(time.time()) - delay_time), ACCT_DELAY_TIME(delay_time)]
        await self.account([*pairs, *clock, *self._itself])


def _own_attributes(identity: str, address: str) -> list[Pair]:
    own = ip_address(address)
    named = NAS_IP_ADDRESS(own) if isinstance(own, IPv4Address) else NAS_IPV6_ADDRESS(own)
    return [NAS_IDENTIFIER(identity), named]


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _mac_octets(mac: str) -> bytes:
    octets = bytes.fromhex(mac.replace(":", "").replace("-", "").replace(".", ""))
    if len(octets) != 6:
        raise ValueError(f"{mac!r} is not a MAC address")
    return octets


def _reason(reply: Packet) -> str:
    message = REPLY_MESSAGE.first(reply)
    error = MS_CHAP_ERROR.first(reply)
    return message or (error[1:].decode(errors="replace") if error is not None else "")
