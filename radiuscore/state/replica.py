"""Every ISP, plan and customer, complete: who is not here does not exist.

Changed only by `load` and `apply`, between two datagrams, so a reader never sees half a change. What a login needs
encoded is encoded here, when a record arrives.
"""

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from radiuscore.aaa.changes import CustomerChange, IspChange, PlanChange, PoolChange, Snapshot
from radiuscore.aaa.pools import AddressPool, LeasedAddress, PoolId
from radiuscore.aaa.records import Customer, CustomerExtras, Isp, IspId, PlanId, ServicePlan
from radiuscore.aaa.reply import PlanReply, ReplyParts, customer_reply, plan_reply


class CustomerEntry(NamedTuple):
    """A customer and his own part of the reply; ``None`` where he has nothing but his plan."""

    customer: Customer
    reply: ReplyParts | None


class IspReplica:
    """One ISP's plans and customers. Lookups are one dict hit each.

    ``fixed`` counts whose own an address or prefix is: no central pool gives it to anybody else.
    """

    __slots__ = ("_pools", "customers", "fixed", "isp", "plans")

    def __init__(self, isp: Isp) -> None:
        self.isp = isp
        self.plans: dict[PlanId, PlanReply] = {}
        self.customers: dict[str, CustomerEntry] = {}
        self.fixed: Counter[LeasedAddress] = Counter()
        self._pools: dict[PoolId, AddressPool] = {}

    def set_plan(self, plan: ServicePlan) -> None:
        """Add a plan, or replace it."""
        self.plans[plan.id] = plan_reply(plan, {pool.name: pool for pool in self._pools.values()})

    def set_pool(self, pool_id: PoolId, pool: AddressPool | None) -> None:
        """Add or replace a central pool, or take it away; the plans' replies follow."""
        if pool is None:
            self._pools.pop(pool_id, None)
        else:
            self._pools[pool_id] = pool
        for entry in tuple(self.plans.values()):
            self.set_plan(entry.plan)

    def set_customer(self, key: str, customer: Customer | None) -> None:
        """Let a customer, or nobody, have this username key."""
        before = self.customers.get(key)
        if before is not None and before.customer.extras is not None:
            for address in _own_addresses(before.customer.extras):
                self.fixed[address] -= 1
                if not self.fixed[address]:
                    del self.fixed[address]
        if customer is None:
            self.customers.pop(key, None)
            return
        self.customers[key] = _entry(customer)
        if customer.extras is not None:
            for address in _own_addresses(customer.extras):
                self.fixed[address] += 1


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
        for pool in snapshot.pools:
            isps[pool.isp_id].set_pool(pool.id, pool)
        for plan in snapshot.plans:
            isps[plan.isp_id].set_plan(plan)
        for customer in snapshot.customers:
            isps[customer.isp_id].set_customer(customer.username_key, customer)
        self._isps = isps
        self.customer_count = len(snapshot.customers)

    def apply(self, change: IspChange | PlanChange | PoolChange | CustomerChange) -> None:
        """Make one change. A change of an ISP that is gone changes nothing."""
        match change:
            case IspChange(isp_id, isp):
                self._apply_isp(isp_id, isp)
            case PlanChange(isp_id, plan_id, plan):
                self._apply_plan(isp_id, plan_id, plan)
            case PoolChange(isp_id, pool_id, pool):
                if (replica := self._isps.get(isp_id)) is not None:
                    replica.set_pool(pool_id, pool)
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
            replica.set_plan(plan)

    def _apply_customer(self, isp_id: IspId, key: str, customer: Customer | None) -> None:
        replica = self._isps.get(isp_id)
        if replica is None:
            return
        before = len(replica.customers)
        replica.set_customer(key, customer)
        self.customer_count += len(replica.customers) - before


def _entry(customer: Customer) -> CustomerEntry:
    return CustomerEntry(customer, customer_reply(customer.extras) if customer.extras is not None else None)


def _own_addresses(extras: CustomerExtras) -> list[LeasedAddress]:
    given = (extras.framed_ip_address, extras.framed_ipv6_prefix, extras.delegated_ipv6_prefix)
    return [address for address in given if address is not None]
