"""The ISP server's policy for logins that need something before their Accept: those alone leave the hot path."""

from collections.abc import Awaitable, Callable
from os import urandom
from typing import Any, TypeAlias

from radiuscore.aaa.access import MESSAGES
from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.claims import Claim, Claimed, claim_of
from radiuscore.aaa.decisions import Accept, Reject, RejectReason
from radiuscore.aaa.reply import lease_attributes
from radiuscore.aaa.requests import AccessRequest
from radiuscore.engine.answer_access import Decision
from radiuscore.engine.policy_replica import Admission, Login, Random, ReplicaPolicy
from radiuscore.state.replica import Replica

Reserve: TypeAlias = Callable[[Claim], Awaitable[Claimed]]


class ReservingPolicy(ReplicaPolicy):
    """A `ReplicaPolicy` that has slots and addresses reserved: `admit` in the place of `access`.

    `ReplicaPolicy` alone keeps no limit and gives no address of a central pool.
    """

    __slots__ = ("_reserve",)

    def __init__(
        self,
        replica: Replica,
        log: Callable[[Login], None],
        record: Callable[[AccountingEvent], Awaitable[Any]],
        reserve: Reserve,
        random: Random = urandom,
    ) -> None:
        super().__init__(replica, log, record, random)
        self._reserve = reserve

    def admit(self, request: AccessRequest) -> Accept | Reject | Awaitable[Decision]:
        """Decide an Access-Request at once, unless its customer needs a slot or an address: then it is awaited."""
        admission = self._judge(request)
        if isinstance(admission, Reject):
            return admission
        if admission.plan.waits:
            claim = claim_of(request, admission.session_uuid, admission.customer, admission.plan, admission.standing)
            if claim is not None:
                return self._admit_with(request, admission, claim)
        return self._accepted(request, admission)

    async def _admit_with(self, request: AccessRequest, admission: Admission, claim: Claim) -> Decision:
        claimed = await self._reserve(claim)
        if claimed is None:
            return None
        if isinstance(claimed, RejectReason):
            return self._rejected(request, admission.customer.id, Reject(claimed, MESSAGES.get(claimed, "")))
        return self._accepted(request, admission, lease_attributes(claimed))
