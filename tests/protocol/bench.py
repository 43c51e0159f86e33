"""The ISP server without sockets: an engine with a replica behind it, two ISPs that look alike, and eyes on it all.

Both ISPs have a customer ``anna`` and a router behind 192.168.88.1, whose secrets differ; ISP 1 has a router at
10.0.0.1 that only it names, and ISP 2 one at 10.0.0.2.
"""

from collections.abc import Awaitable, Generator, Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.authlog import AuthLogRow
from radiuscore.aaa.changes import NasChange, Snapshot
from radiuscore.aaa.devices import DeviceProved, DeviceSigned
from radiuscore.aaa.names import username_key
from radiuscore.aaa.records import Customer, Isp, Nas, RateLimit, ServicePlan
from radiuscore.engine.engine import Engine
from radiuscore.engine.exchange import Pending
from radiuscore.engine.policy_replica import ReplicaPolicy
from radiuscore.engine.port import Outcome
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.oracle import Reply, read_reply

ONE, TWO = b"the secret of one", b"the secret of two"
PASSWORD = {1: "arctangent", 2: "logarithm"}
NOW = 1_795_435_200.0  # 2026-11-23 12:00 UTC
SHARED = "192.168.88.1"
HERE = "192.0.2.10"

ROUTERS = (
    Nas("10.0.0.1", ONE, isp_id=1, id=11, name="one's"),
    Nas("10.0.0.2", TWO, isp_id=2, id=21, name="two's"),
    Nas(SHARED, ONE, isp_id=1, id=12, name="one's in the tunnel"),
    Nas(SHARED, TWO, isp_id=2, id=22, name="two's in the tunnel"),
)
PLANS = tuple(
    ServicePlan(id=5, isp_id=isp_id, name="home", rate_limit=RateLimit(download_bps=50_000_000, upload_bps=10_000_000))
    for isp_id in (1, 2)
)


class Recorded:
    """What makes an accounting record durable: at once, unless the test holds it back or lets it fail."""

    def __init__(self) -> None:
        self.events: list[AccountingEvent] = []

    def __call__(self, event: AccountingEvent) -> Awaitable[None]:
        self.events.append(event)
        return Durable()


class Durable:
    """Done already: needs no event loop."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


class Bench:
    """An engine, asked as a socket would ask it; ``now`` is its clock, ``working`` says which port can do its work."""

    def __init__(self, nases: Iterable[Nas] = ROUTERS, customers: Iterable[Customer] | None = None) -> None:
        self.now = Moment(1000.0, NOW)
        self.working = {"auth": True, "acct": True}
        self.logins: list[AuthLogRow] = []
        self.recorded = Recorded()
        self.proved: list[DeviceProved] = []
        self.signed: list[DeviceSigned] = []
        self.replica = Replica()
        given = list(customers) if customers is not None else [customer("anna", isp_id) for isp_id in (1, 2)]
        self.replica.load(Snapshot([Isp(1, "one"), Isp(2, "two")], [], list(PLANS), given))
        policy = ReplicaPolicy(self.replica, lambda login: self.logins.append(login.row()), self.recorded)
        self.nases = NasTable(nases)
        self.engine = Engine(
            self.nases,
            access=policy.access,
            accounting=policy.accounting,
            ready=lambda: self.working["auth"],
            durable=lambda: self.working["acct"],
            observer=self,
        )

    def device_proved(self, fact: DeviceProved) -> None:
        self.proved.append(fact)

    def device_signed(self, fact: DeviceSigned) -> None:
        self.signed.append(fact)

    def pass_time(self, seconds: float) -> None:
        self.now = Moment(self.now.monotonic + seconds, self.now.epoch + seconds)

    def change(self, nas: Nas, **values: Any) -> Nas:
        """Change a device as its ISP would, keeping what was learned and stored of it."""
        changed = replace(nas, **values)
        self.nases.apply(NasChange(nas.isp_id, nas.id, changed))
        return changed

    def auth(self, datagram: bytes, source: str = "10.0.0.1", port: int = 40001, local: str = HERE) -> Outcome:
        return self.engine.auth.handle(datagram, octets_of(source, port), ip_address(local).packed, self.now)

    def acct(self, datagram: bytes, source: str = "10.0.0.1", port: int = 40001, local: str = HERE) -> Outcome:
        """Return what becomes of an Accounting-Request once its record is durable."""
        outcome = self.acct_pending(datagram, source, port, local)
        return outcome.finish(None) if isinstance(outcome, Pending) else outcome

    def acct_pending(self, datagram: bytes, source: str = "10.0.0.1", port: int = 40001, local: str = HERE) -> Outcome:
        return self.engine.acct.handle(datagram, octets_of(source, port), ip_address(local).packed, self.now)

    def login(
        self, datagram: bytes, source: str = "10.0.0.1", secret: bytes = ONE, port: int = 40001, local: str = HERE
    ) -> Reply:
        """Ask the authentication port and return the reply, its octets proved."""
        return read_reply(self.auth(datagram, source, port, local), datagram, secret)

    def acknowledged(self, datagram: bytes, source: str = "10.0.0.1", secret: bytes = ONE) -> Reply:
        """Report to the accounting port and return the reply, its octets proved."""
        reply = read_reply(self.acct(datagram, source), datagram, secret)
        assert reply.code == oracle.ACCOUNTING_RESPONSE
        return reply

    @property
    def reason(self) -> str:
        """Why the last login was rejected; empty if it was accepted."""
        return self.logins[-1].reason

    def discards(self) -> dict[Discard, int]:
        """How often which silence was counted, on both ports together."""
        counts = dict(self.engine.auth.counters.discards)
        for reason, count in self.engine.acct.counters.discards.items():
            counts[reason] = counts.get(reason, 0) + count
        return counts


def octets_of(source: str, port: int) -> bytes:
    return port.to_bytes(2, "big") + ip_address(source).packed


def customer(username: str, isp_id: int = 1, password: str | bytes | None = None, **more: Any) -> Customer:
    """Return a customer of an ISP; his password is the ISP's usual one, his id 101 or 201 unless it is given."""
    given = PASSWORD[isp_id] if password is None else password
    octets = given.encode() if isinstance(given, str) else given
    number = more.pop("id", 100 * isp_id + 1)
    return Customer(number, isp_id, username, username_key(username), octets, plan_id=5, **more)
