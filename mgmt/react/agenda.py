"""What the planner looks at next: single customers first, then whole ISPs, a step at a time.

Marking is cheap and says nothing of how much work it is: a plan with fifty thousand customers is in the way of nobody.
"""

import asyncio
from collections.abc import Collection
from typing import Final, NamedTuple

from radiuscore.aaa.records import CustomerId, IspId
from radiuscore.store.granted import GrantedSession

STEP: Final = 500  # customers, whose sessions are some 20 ms of work; then others have their turn


class CustomersStep(NamedTuple):
    """Some customers of an ISP, whose sessions may want a reaction."""

    isp_id: IspId
    customers: list[CustomerId]


class IspStep(NamedTuple):
    """The sessions of an ISP after one of them. ``patient``: nothing has changed, it is only looked at again."""

    isp_id: IspId
    after: GrantedSession | None
    patient: bool


class Agenda:
    """What is marked and not yet done."""

    def __init__(self) -> None:
        self._customers: dict[IspId, set[CustomerId]] = {}
        self._isps: dict[IspId, IspStep] = {}
        self._marked = asyncio.Event()

    def mark_customers(self, isp_id: IspId, customers: Collection[CustomerId]) -> None:
        """Have the sessions of these customers looked at."""
        if customers:
            self._customers.setdefault(isp_id, set()).update(customers)
            self._marked.set()

    def mark_isp(self, isp_id: IspId, *, patient: bool) -> None:
        """Have all sessions of an ISP looked at, from the first on. A patient look joins one that is under way."""
        if not patient or isp_id not in self._isps:
            self._isps[isp_id] = IspStep(isp_id, None, patient)
            self._marked.set()

    async def next(self) -> CustomersStep | IspStep:
        """Wait for something to do and return it; it is not on the agenda any more."""
        while True:
            for isp_id, customers in self._customers.items():
                chosen = [customers.pop() for _ in range(min(STEP, len(customers)))]
                if not customers:
                    del self._customers[isp_id]
                return CustomersStep(isp_id, chosen)
            if self._isps:
                return self._isps.pop(next(iter(self._isps)))
            self._marked.clear()
            await self._marked.wait()

    def put_back(self, step: CustomersStep | IspStep) -> None:
        """Have something done that could not be, or the rest of it; what was marked anew since stands."""
        if isinstance(step, CustomersStep):
            self.mark_customers(step.isp_id, step.customers)
        else:
            self._isps.setdefault(step.isp_id, step)
            self._marked.set()
