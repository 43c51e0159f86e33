"""Every ISP, plan and customer, complete: who is not here does not exist.

Changed only by `load` and `apply`, between two datagrams, so a reader never sees half a change. What a login needs
encoded is encoded here, when a record arrives.
"""

from collections.abc import Collection
from typing import NamedTuple

from radiuscore.aaa.changes import CustomerChange, IspChange, PlanChange, Snapshot
from radiuscore.aaa.records import Customer, Isp, IspId, PlanId, ServicePlan
from radiuscore.aaa.reply import PlanReply, ReplyParts, customer_reply, plan_reply


class CustomerEntry(NamedTuple):
    """A customer and his own part of the reply; ``None`` where he has nothing but his plan."""

    customer: Customer
    reply: ReplyParts | None


class IspReplica:
    """One ISP's plans and customers. Lookups are one dict hit each."""

    __slots__ = ("customers", "isp", "plans")

    def __init__(self, isp: Isp) -> None:
        self.isp = isp
        self.plans: dict[PlanId, PlanReply] = {}
        self.customers: dict[str, CustomerEntry] = {}


class Replica:
    """The configuration of all ISPs, apart from their devices (those are in `NasTable`)."""

    __slots__ = ("_isps", "customer_count")

    def __init__(self) -> None:
        self._isps: dict[IspId, IspReplica] = {}
        self.customer_count = 0

    def find_isp(self, isp_id: IspId) -> IspReplica | None:
        return self._isps.get(isp_id)

    def isp_ids(self) -> Collection[IspId]:
        """Return the ids of every ISP."""
        return self._isps.keys()

    def load(self, snapshot: Snapshot) -> None:
        """Replace everything by a snapshot."""
        isps = {isp.id: IspReplica(isp) for isp in snapshot.isps}
        for plan in snapshot.plans:
            isps[plan.isp_id].plans[plan.id] = plan_reply(plan)
        for customer in snapshot.customers:
            isps[customer.isp_id].customers[customer.username_key] = _entry(customer)
        self._isps = isps
        self.customer_count = len(snapshot.customers)

    def apply(self, change: IspChange | PlanChange | CustomerChange) -> None:
        """Make one change. A change of an ISP that is gone changes nothing."""
        match change:
            case IspChange(isp_id, isp):
                self._apply_isp(isp_id, isp)
            case PlanChange(isp_id, plan_id, plan):
                self._apply_plan(isp_id, plan_id, plan)
            case CustomerChange(isp_id, key, customer):
                self._apply_customer(isp_id, key, customer)

    def _apply_isp(self, isp_id: IspId, isp: Isp | None) -> None:
        replica = self._isps.get(isp_id)
        if isp is None:
            if replica is not None:
                self.customer_count -= len(replica.customers)
                del self._isps[isp_id]
        elif replica is None:
            self._isps[isp_id] = IspReplica(isp)
        else:
            replica.isp = isp

    def _apply_plan(self, isp_id: IspId, plan_id: PlanId, plan: ServicePlan | None) -> None:
        replica = self._isps.get(isp_id)
        if replica is None:
            return
        if plan is None:
            replica.plans.pop(plan_id, None)
        else:
            replica.plans[plan_id] = plan_reply(plan)

    def _apply_customer(self, isp_id: IspId, key: str, customer: Customer | None) -> None:
        replica = self._isps.get(isp_id)
        if replica is None:
            return
        before = len(replica.customers)
        if customer is None:
            replica.customers.pop(key, None)
        else:
            replica.customers[key] = _entry(customer)
        self.customer_count += len(replica.customers) - before


def _entry(customer: Customer) -> CustomerEntry:
    return CustomerEntry(customer, customer_reply(customer.extras) if customer.extras is not None else None)
