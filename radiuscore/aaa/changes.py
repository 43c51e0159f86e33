"""What configuration a process is told: everything once, then each change. Built by ``store``, applied by ``state``."""

from dataclasses import dataclass, field
from typing import TypeAlias

from radiuscore.aaa.pools import AddressPool, PoolId
from radiuscore.aaa.records import Customer, Isp, IspId, Nas, NasId, PlanId, ServicePlan


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole configuration as one transaction saw it. Only devices that have a secret are in ``nases``."""

    isps: list[Isp]
    nases: list[Nas]
    plans: list[ServicePlan]
    customers: list[Customer]
    pools: list[AddressPool] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class IspChange:
    isp_id: IspId
    isp: Isp | None


@dataclass(frozen=True, slots=True)
class NasChange:
    isp_id: IspId
    nas_id: NasId
    nas: Nas | None


@dataclass(frozen=True, slots=True)
class PlanChange:
    isp_id: IspId
    plan_id: PlanId
    plan: ServicePlan | None


@dataclass(frozen=True, slots=True)
class PoolChange:
    isp_id: IspId
    pool_id: PoolId
    pool: AddressPool | None


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """Who has this key now: a record, or ``None`` where nobody has. A rename is two changes, one per key."""

    isp_id: IspId
    username_key: str
    customer: Customer | None


Change: TypeAlias = IspChange | NasChange | PlanChange | PoolChange | CustomerChange
__all__ = ["Change", "CustomerChange", "IspChange", "NasChange", "PlanChange", "PoolChange", "Snapshot"]
