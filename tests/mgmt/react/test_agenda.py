"""Single customers before whole ISPs, nothing twice, nothing lost."""

import asyncio
from uuid import UUID

from mgmt.react.agenda import STEP, Agenda, CustomersStep, IspStep
from radiuscore.store.granted import GrantedSession

MARK = GrantedSession(1, 1, "81000001", "anna", UUID(int=1), 7, None, 0.0, None, "node1")


async def next_of(agenda: Agenda) -> CustomersStep | IspStep:
    return await asyncio.wait_for(agenda.next(), 5)


async def test_customers_go_before_isps_and_isps_take_turns() -> None:
    agenda = Agenda()
    agenda.mark_isp(1, patient=True)
    agenda.mark_isp(2, patient=True)
    first = await next_of(agenda)
    assert first == IspStep(1, None, patient=True)
    agenda.put_back(IspStep(1, MARK, patient=True))
    agenda.mark_customers(2, [7, 7])
    assert await next_of(agenda) == CustomersStep(2, [7])
    assert await next_of(agenda) == IspStep(2, None, patient=True)
    assert await next_of(agenda) == IspStep(1, MARK, patient=True)


async def test_a_change_begins_a_look_anew_and_a_look_does_not() -> None:
    agenda = Agenda()
    agenda.put_back(IspStep(1, MARK, patient=True))
    agenda.mark_isp(1, patient=True)
    assert await next_of(agenda) == IspStep(1, MARK, patient=True)
    agenda.put_back(IspStep(1, MARK, patient=True))
    agenda.mark_isp(1, patient=False)
    agenda.put_back(IspStep(1, MARK, patient=True))
    assert await next_of(agenda) == IspStep(1, None, patient=False)


async def test_many_customers_are_several_steps() -> None:
    agenda = Agenda()
    agenda.mark_customers(1, range(STEP + 1))
    steps = [await next_of(agenda), await next_of(agenda)]
    sizes = [len(step.customers) for step in steps if isinstance(step, CustomersStep)]
    assert sizes == [STEP, 1]
    agenda.put_back(steps[0])
    agenda.put_back(steps[1])
    again = await next_of(agenda)
    assert isinstance(again, CustomersStep)
    assert len(again.customers) == STEP


async def test_who_waits_is_woken() -> None:
    agenda = Agenda()
    waiting = asyncio.create_task(agenda.next())
    await asyncio.sleep(0)
    agenda.mark_customers(1, [])
    await asyncio.sleep(0)
    assert not waiting.done()
    agenda.mark_customers(1, [7])
    assert await asyncio.wait_for(waiting, 5) == CustomersStep(1, [7])
