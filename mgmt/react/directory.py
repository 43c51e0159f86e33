"""The leader's copy of the configuration, with what a worker does not need: customers by id, whom a change concerns.

A session belongs to a customer by his id, so that one who was renamed keeps his session.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from radiuscore.aaa.changes import Change, CustomerChange, IspChange, NasChange, PlanChange, PoolChange, Snapshot
from radiuscore.aaa.records import CustomerId, IspId, PlanId
from radiuscore.state.replica import CustomerEntry, IspReplica, Replica


class Concerned(NamedTuple):
    """Whose sessions a change may concern: these customers of an ISP; ``None``: all of them."""

    isp_id: IspId
    customers: Collection[CustomerId] | None


class Directory:
    """ISPs, plans and customers as the database has them. Changed by `load` and `apply` only."""

    def __init__(self) -> None:
        self._replica: Final = Replica()
        self._keys: dict[IspId, dict[CustomerId, str]] = {}

    def load(self, snapshot: Snapshot) -> None:
        """Replace everything by a snapshot."""
        self._replica.load(snapshot)
        self._keys = {}
        for customer in snapshot.customers:
            self._keys.setdefault(customer.isp_id, {})[customer.id] = customer.username_key

    def apply(self, change: Change) -> Concerned | None:
        """Make one change and return whom it concerns; ``None`` where it concerns no session."""
        match change:
            case NasChange():
                return None
            case PoolChange():
                self._replica.apply(change)
                return None
            case IspChange(isp_id, _):
                self._replica.apply(change)
                return Concerned(isp_id, None)
            case PlanChange(isp_id, plan_id, _):
                self._replica.apply(change)
                return Concerned(isp_id, self._customers_of(isp_id, plan_id))
            case CustomerChange():
                return self._apply_customer(change)

    def isp_ids(self) -> list[IspId]:
        """Return the ids of every ISP."""
        return list(self._replica.isp_ids())

    def find_isp(self, isp_id: IspId) -> IspReplica | None:
        return self._replica.find_isp(isp_id)

    def find_customer(self, isp_id: IspId, customer_id: CustomerId) -> CustomerEntry | None:
        """Return the customer of that id, whatever he is called now."""
        isp = self._replica.find_isp(isp_id)
        key = self._keys.get(isp_id, {}).get(customer_id)
        return isp.customers.get(key) if isp is not None and key is not None else None

    def _customers_of(self, isp_id: IspId, plan_id: PlanId) -> list[CustomerId]:
        isp = self._replica.find_isp(isp_id)
        entries = isp.customers.values() if isp is not None else ()
        return [entry.customer.id for entry in entries if entry.customer.plan_id == plan_id]

    def _apply_customer(self, change: CustomerChange) -> Concerned:
        """Follow one key. A rename comes as two changes in any order: of the key that is left, and of the new one."""
        isp_id, key = change.isp_id, change.username_key
        isp = self._replica.find_isp(isp_id)
        before = isp.customers.get(key) if isp is not None else None
        self._replica.apply(change)
        keys = self._keys.setdefault(isp_id, {})
        concerned = set()
        if before is not None:
            concerned.add(before.customer.id)
            if keys.get(before.customer.id) == key:
                del keys[before.customer.id]
        if change.customer is not None:
            concerned.add(change.customer.id)
            keys[change.customer.id] = key
        return Concerned(isp_id, concerned)
