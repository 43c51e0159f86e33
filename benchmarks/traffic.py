"""What routers ask, built before the clock starts: PPPoE logins and accounting with RouterOS's attributes.

Identifiers follow each other from 0 to 255 and begin again, so any stretch of up to 256 requests may be under way from
one port at a time.
"""

import random
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Final, Literal, NamedTuple, TypeAlias

from benchmarks.population import NAS_ADDRESS, SECRET, password, username
from radiuscore.testing.credentials import Method, Offer, offer
from radiuscore.testing.routeros import Line, Service, Usage, access_attributes, accounting_attributes, session_id
from radiuscore.wire.codes import AcctStatusType, Code, TerminateCause
from radiuscore.wire.packet import encode_attributes, encode_request
from radiuscore.wire.rfc import ACCT_DELAY_TIME, NAS_IDENTIFIER, NAS_IP_ADDRESS
from radiuscore.wire.secret import SharedSecret

IDENTIFIERS: Final = 256
SHARED: Final = SharedSecret(SECRET)

Server: TypeAlias = Literal["auth", "acct"]
Make: TypeAlias = Callable[["Router", int], "Ask"]


class Ask(NamedTuple):
    """One request, ready to be sent from ``source`` (4 octets), and what the Accept must prove."""

    octets: bytes
    source: bytes
    server: Server
    offer: Offer | None = None


class Router:
    """A router with many customers; the same ``seed`` gives the same requests. ``address`` is where it asks from."""

    def __init__(self, customers: int, address: str = NAS_ADDRESS, seed: int = 1) -> None:
        self._customers = customers
        self._address = IPv4Address(address)
        self._chance = random.Random(seed)
        self._own = [NAS_IDENTIFIER("benchmark"), NAS_IP_ADDRESS(self._address)]

    def login(self, number: int, method: Method, *, sign: bool) -> Ask:
        """Return the Access-Request of one customer, chosen at random."""
        line, authenticator = self._line(self._chance.randint(1, self._customers)), self._chance.randbytes(16)
        secret = password(line.port).encode()
        proof = offer(method, line.username, secret, SHARED, authenticator, self._chance.randbytes)
        octets = encode_request(
            Code.ACCESS_REQUEST,
            number % IDENTIFIERS,
            encode_attributes([*access_attributes(line, proof.attributes), *self._own]),
            SHARED,
            authenticator=authenticator,
            sign=sign,
        )
        return Ask(octets, self._address.packed, "auth", proof)

    def report(self, number: int, status: AcctStatusType, customer: int, reports: int) -> Ask:
        """Return an Accounting-Request of a customer's session; its counters grow with ``reports``."""
        usage = None if status is AcctStatusType.START else Usage(300 * reports, reports * 10**6, reports * 10**7)
        cause = TerminateCause.USER_REQUEST if status is AcctStatusType.STOP else None
        pairs = accounting_attributes(self._line(customer), status, usage, cause)
        octets = encode_request(
            Code.ACCOUNTING_REQUEST,
            number % IDENTIFIERS,
            encode_attributes([*pairs, ACCT_DELAY_TIME(0), *self._own]),
            SHARED,
        )
        return Ask(octets, self._address.packed, "acct")

    def _line(self, customer: int) -> Line:
        return Line(
            Service.PPPOE,
            username(customer).encode(),
            session_id(Service.PPPOE, 1, customer),
            customer,
            customer.to_bytes(6, "big"),
            IPv4Address("100.64.0.0") + customer,
            "ether2",
            "service1",
        )


def _pap(router: Router, number: int) -> Ask:
    return router.login(number, Method.PAP, sign=True)


def _chap(router: Router, number: int) -> Ask:
    return router.login(number, Method.CHAP, sign=True)


def _mschapv2(router: Router, number: int) -> Ask:
    return router.login(number, Method.MSCHAPV2, sign=True)


def _chap_unsigned(router: Router, number: int) -> Ask:
    return router.login(number, Method.CHAP, sign=False)


def _mschapv2_unsigned(router: Router, number: int) -> Ask:
    return router.login(number, Method.MSCHAPV2, sign=False)


def _accounting(router: Router, number: int) -> Ask:
    """Of each session in turn a Start, then four Interim-Updates, then a Stop, with many sessions between two."""
    turn, session = divmod(number, _SESSIONS)
    reports = turn % _REPORTS
    status = _STATUSES.get(reports, AcctStatusType.INTERIM_UPDATE)
    return router.report(number, status, 1 + session + turn // _REPORTS * _SESSIONS, reports)


def _mix(router: Router, number: int) -> Ask:
    """A quiet day: a login for every nine reports, logins by CHAP, MS-CHAPv2 and PAP alike."""
    if number % 10:
        return _accounting(router, number)
    return (_pap, _chap, _mschapv2)[number // 10 % 3](router, number)


_SESSIONS: Final = 1_000
_REPORTS: Final = 6
_STATUSES: Final = {0: AcctStatusType.START, _REPORTS - 1: AcctStatusType.STOP}

KINDS: Final[dict[str, Make]] = {
    "pap": _pap,
    "chap": _chap,
    "mschapv2": _mschapv2,
    "chap-unsigned": _chap_unsigned,
    "mschapv2-unsigned": _mschapv2_unsigned,
    "accounting": _accounting,
    "mix": _mix,
}


def requests(kind: str, count: int, routers: Sequence[Router]) -> list[Ask]:
    """Return at least ``count`` requests of one of `KINDS`, rounded up to whole turns of the identifiers."""
    make, whole = KINDS[kind], -(-count // IDENTIFIERS) * IDENTIFIERS
    return [make(routers[number % len(routers)], number) for number in range(whole)]
