"""Which accounting events may share a batch: one per session, and a NAS's restart after all that came before it."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.server.accounting_queue import BatchQueue, Waiting, is_restart
from radiuscore.wire.codes import AcctStatusType

LOOP = asyncio.new_event_loop()
LOOP.close()


def waiting(number: int, isp_id: int, nas_id: int, session: str, status: AcctStatusType) -> Waiting:
    event = AccountingEvent(isp_id, nas_id, status, session, "user", "user", received_at=float(number))
    return Waiting(event, asyncio.Future(loop=LOOP), 0.0)


statuses = st.sampled_from(
    [AcctStatusType.START, AcctStatusType.INTERIM_UPDATE, AcctStatusType.INTERIM_UPDATE, AcctStatusType.STOP]
)
restarts = st.sampled_from([AcctStatusType.ACCOUNTING_ON, AcctStatusType.ACCOUNTING_OFF])
events = st.tuples(
    st.integers(1, 2), st.integers(1, 2), st.sampled_from(["a", "b", "c"]), st.one_of(statuses, statuses, restarts)
)


@given(st.lists(events, max_size=60), st.integers(1, 7), st.lists(st.integers(0, 5), max_size=40))
def test_every_event_leaves_once_and_in_its_order(
    sent: list[tuple[int, int, str, AcctStatusType]], limit: int, rhythm: list[int]
) -> None:
    """However arrivals and batches alternate: no two of one session in a batch, and no order that matters is lost."""
    queue = BatchQueue()
    arriving = [waiting(number, *one) for number, one in enumerate(sent)]
    todo = iter(arriving)
    batches: list[list[Waiting]] = []
    for count in [*rhythm, len(arriving)]:
        for _ in range(count):
            if (one := next(todo, None)) is not None:
                queue.put(one)
        batches.append(queue.take(limit))
        queue.settle(batches[-1])
    while batch := queue.take(limit):
        batches.append(batch)
        queue.settle(batch)

    assert len(queue) == 0
    assert sorted(one.event.received_at for batch in batches for one in batch) == list(map(float, range(len(sent))))
    for batch in batches:
        assert len(batch) <= limit
        assert len({one.key for one in batch}) == len(batch)
    _assert_order(batches)


def _assert_order(batches: list[list[Waiting]]) -> None:
    """Within a batch a restart is written before the sessions; so it may share one only with what came after it."""
    position = {id(one): number for number, batch in enumerate(batches) for one in batch}
    everyone = sorted((one for batch in batches for one in batch), key=lambda one: one.event.received_at)
    for nas in {one.nas for one in everyone}:
        of_nas = [one for one in everyone if one.nas == nas]
        for earlier_number, earlier in enumerate(of_nas):
            for later in of_nas[earlier_number + 1 :]:
                before, after = position[id(earlier)], position[id(later)]
                if is_restart(later.event) or earlier.key == later.key:
                    assert before < after
                elif is_restart(earlier.event):
                    assert before <= after
    for key in {one.key for one in everyone}:
        assert all(position[id(a)] < position[id(b)] for a, b in pairwise(o for o in everyone if o.key == key))


def test_a_restart_of_one_nas_holds_up_no_other() -> None:
    queue = BatchQueue()
    start, interim, restart = AcctStatusType.START, AcctStatusType.INTERIM_UPDATE, AcctStatusType.ACCOUNTING_ON
    first = waiting(0, 1, 1, "a", start)
    on = waiting(1, 1, 1, "", restart)
    after = waiting(2, 1, 1, "a", start)
    neighbour = [waiting(3, 2, 1, "a", interim), waiting(4, 1, 2, "a", interim)]
    for one in (first, on, after, *neighbour):
        queue.put(one)

    batch = queue.take(500)
    assert batch == [first, *neighbour]
    assert queue.take(500) == []  # the first batch is not durable yet
    queue.settle(batch)
    batch = queue.take(500)
    assert batch == [on, after]


def test_two_isps_with_the_same_ids_do_not_wait_for_each_other() -> None:
    queue = BatchQueue()
    both = [waiting(isp_id, isp_id, 1, "81a00001", AcctStatusType.STOP) for isp_id in (1, 2)]
    for one in both:
        queue.put(one)
    assert queue.take(500) == both
