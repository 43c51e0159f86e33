"""The ISP server's two handlers: the replica behind the engine. No SQL, no task, no await."""

from collections.abc import Awaitable, Callable
from os import urandom
from typing import Any, Final, NamedTuple, TypeAlias

from radiuscore.aaa.access import Standing, decide_access
from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.authlog import AuthLogRow
from radiuscore.aaa.decisions import Accept, Reject, RejectReason
from radiuscore.aaa.due import Use, due_attributes, standing_attributes
from radiuscore.aaa.names import parse_mac
from radiuscore.aaa.records import Customer, CustomerId, Isp
from radiuscore.aaa.reply import PlanReply, interim_interval, session_timeout_attribute
from radiuscore.aaa.requests import AccessRequest
from radiuscore.state.replica import CustomerEntry, Replica
from radiuscore.wire.codes import AcctStatusType

_CLASS_HEADER: Final = b"\x19\x12"
_START: Final = AcctStatusType.START
_UUID_VERSION_7: Final = 0x7 << 76 | 0x2 << 62
_UUID_FREE: Final = (1 << 128) - 1 ^ (0xF << 76 | 0x3 << 62)

Random: TypeAlias = Callable[[int], bytes]


class Login(NamedTuple):
    """One decided Access-Request, for the auth log. The row is made when it is written, not when it is answered."""

    request: AccessRequest
    customer_id: CustomerId | None
    reason: str
    session_uuid: bytes | None

    def row(self) -> AuthLogRow:
        request = self.request
        return AuthLogRow(
            at=request.now,
            isp_id=request.nas.isp_id,
            nas_id=request.nas.id,
            customer_id=self.customer_id,
            username=request.username,
            outcome="reject" if self.session_uuid is None else "accept",
            reason=self.reason,
            method=request.credential.method,
            calling_station_id=request.calling_station_id,
            called_station_id=request.called_station_id,
            acct_session_id=request.acct_session_id,
            nas_port_id=request.nas_port_id,
            framed_ip_address=request.framed_ip_address,
            session_uuid=self.session_uuid,
        )


class Admission(NamedTuple):
    """A login that the account allows: whose it is, and what the Accept says but for Class (``session_uuid``)."""

    customer: Customer
    plan: PlanReply
    standing: Standing
    attributes: bytes
    session_uuid: bytes


class ReplicaPolicy:
    """Answers from memory whether an ISP's customer may go online, and completes what a NAS reports of him.

    ``log`` takes each decided login and must not block; ``record`` makes an accounting event durable.
    """

    __slots__ = ("_log", "_random", "_record", "_replica")

    def __init__(
        self,
        replica: Replica,
        log: Callable[[Login], None],
        record: Callable[[AccountingEvent], Awaitable[Any]],
        random: Random = urandom,
    ) -> None:
        self._replica = replica
        self._log = log
        self._record = record
        self._random = random

    def access(self, request: AccessRequest) -> Accept | Reject:
        """Decide an Access-Request. Two dict hits, the proof of the password, and a join of ready octets."""
        admission = self._judge(request)
        return admission if isinstance(admission, Reject) else self._accepted(request, admission)

    def accounting(self, event: AccountingEvent) -> Awaitable[Any]:
        """Complete an event with whose session it is and in which zone, and have it made durable."""
        isp = self._replica.find_isp(event.isp_id)
        if isp is None:
            return self._record(event)
        entry = isp.customers.get(event.username_key)
        if entry is None:
            return self._record(event._replace(zone=isp.isp.zone))
        customer = entry.customer
        event = event._replace(customer_id=customer.id, plan_id=customer.plan_id, zone=isp.isp.zone)
        entry_of_plan = isp.plans.get(customer.plan_id) if customer.plan_id is not None else None
        if entry_of_plan is None:
            return self._record(event)
        plan = entry_of_plan.plan
        interval = plan.interim_interval_s
        return self._record(
            event._replace(
                interim_interval_s=interim_interval(interval, customer.id) if interval else None,
                quota_period=plan.quota_period,
                quota_anchor_day=plan.quota_anchor_day,
                granted=_granted(isp.isp, entry, entry_of_plan, event) if event.status == _START else None,
            )
        )

    def _judge(self, request: AccessRequest) -> Admission | Reject:
        isp = self._replica.find_isp(request.nas.isp_id)
        if isp is None:
            return self._rejected(request, None, Reject(RejectReason.ISP_SUSPENDED))
        entry = isp.customers.get(request.username_key)
        customer = entry.customer if entry is not None else None
        plan = isp.plans.get(customer.plan_id) if customer is not None and customer.plan_id is not None else None
        judgement = decide_access(
            request, isp.isp, customer, plan.plan if plan is not None else None, request.nas.id, request.now
        )
        if isinstance(judgement, Reject):
            return self._rejected(request, customer.id if customer is not None else None, judgement)
        assert entry is not None
        assert plan is not None
        attributes = standing_attributes(judgement.standing, plan, entry.reply) + plan.interim_of(entry.customer.id)
        if judgement.session_timeout_s is not None:
            attributes += session_timeout_attribute(judgement.session_timeout_s)
        session_uuid = new_session_uuid(request.now, self._random(10))
        return Admission(entry.customer, plan, judgement.standing, attributes, session_uuid)

    def _accepted(self, request: AccessRequest, admission: Admission, more: bytes = b"") -> Accept:
        self._log(Login(request, admission.customer.id, "", admission.session_uuid))
        return Accept(admission.attributes + more + _CLASS_HEADER + admission.session_uuid)

    def _rejected(self, request: AccessRequest, customer_id: CustomerId | None, reject: Reject) -> Reject:
        self._log(Login(request, customer_id, reject.reason, None))
        return reject


def new_session_uuid(now: float, random: bytes) -> bytes:
    """Return the 16 octets of a UUID version 7: milliseconds since 1970, then 10 random octets (RFC 9562 §5.7)."""
    value = int(now * 1000) << 80 | int.from_bytes(random, "big")
    return (value & _UUID_FREE | _UUID_VERSION_7).to_bytes(16, "big")


def _granted(isp: Isp, entry: CustomerEntry, plan: PlanReply, event: AccountingEvent) -> bytes | None:
    """Return what a session that begins was given, as far as is known here; ``None`` if it would be rejected now."""
    customer = entry.customer
    mac = None
    if customer.extras is not None and event.calling_station_id:
        mac = parse_mac(event.calling_station_id)
    use = Use(event.nas_id, mac, event.received_at - event.delay_time)
    due = due_attributes(isp, customer, plan, entry.reply, use, event.received_at)
    return None if isinstance(due, Reject) else due
