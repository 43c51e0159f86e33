"""However the reports of a session are ordered, doubled, batched and spread over two writers: one end, to the octet."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.store.pool import SYSTEM_ROLE, connect
from radiuscore.store.sessions import record, session_key
from radiuscore.store.sweep import archive_closed
from tests.store.reporting import TOMORROW, check_usage, interim, start, stop

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

ORDERS = 200
OLD = -10 * 86_400  # before what is archived, so that nothing is taken for new at first sight
GIB = 2**30

ONE_SESSION = [
    start(0.5, framed_ip_address=IPv4Address("100.64.0.9")),
    *(interim(300 * n, 300 * n, (n * 10, n * 3 * GIB)) for n in range(1, 6)),
    stop(1700, 1700, (77, 16 * GIB), terminate_cause=1),
]
REUSED_ID = [
    *ONE_SESSION[:-1],  # its Stop is lost
    *(event._replace(received_at=event.received_at + 7200) for event in ONE_SESSION),
    interim(20_000, 300, 4),  # Start and Stop are lost
    *(event._replace(received_at=event.received_at + 30_000) for event in ONE_SESSION[1:]),
]

# Everything that must not depend on the order.
SESSIONS_OF = """
SELECT 'history' AS place, isp_id, customer_id, closed_by AS state, started_at, updated_at, stopped_at, session_time,
       input_octets, output_octets, input_counter, output_counter, terminate_cause, statuses, framed_ip_address
  FROM accounting.session_history
 UNION ALL
SELECT 'live', isp_id, customer_id, state, started_at, updated_at, stopped_at, session_time,
       input_octets, output_octets, input_counter, output_counter, terminate_cause, statuses, framed_ip_address
  FROM accounting.sessions
 ORDER BY isp_id, customer_id, place, started_at
"""
USAGE_OF = """
SELECT isp_id, customer_id, hour, input_octets, output_octets, session_time FROM accounting.usage_hour
 ORDER BY isp_id, customer_id, hour
"""


def of_customer(events: Sequence[AccountingEvent], customer_id: int) -> list[AccountingEvent]:
    return [
        event._replace(
            acct_session_id=f"81{customer_id:06x}", customer_id=customer_id, received_at=event.received_at + OLD
        )
        for event in events
    ]


def shuffled(events: Sequence[AccountingEvent], seed: int) -> list[AccountingEvent]:
    """Return the events in some order, some of them twice or three times."""
    chance = random.Random(seed)
    some = [*events, *chance.choices(events, k=chance.randrange(len(events)))]
    chance.shuffle(some)
    return some


async def write_all(
    db: Db, queue: Sequence[AccountingEvent], limit: int, batch_done: Callable[[], None] = lambda: None
) -> None:
    """Record events in order, in batches of at most ``limit``, no two of one session in a batch."""
    waiting = deque(queue)
    while waiting:
        batch: dict[object, AccountingEvent] = {}
        later: deque[AccountingEvent] = deque()
        blocked = set()
        while waiting and len(batch) < limit:
            event = waiting.popleft()
            if (key := session_key(event)) in batch or key in blocked:
                later.append(event)
                blocked.add(key)
            else:
                batch[key] = event
        waiting = later + waiting
        await record(db, list(batch.values()))
        batch_done()


def spread(orders: Sequence[list[AccountingEvent]], writers: int, chance: random.Random) -> list[list[AccountingEvent]]:
    """Return a queue for each writer: every report is in one of them, or in several."""
    queues: list[list[AccountingEvent]] = [[] for _ in range(writers)]
    for n in range(max(map(len, orders))):
        for order in orders:
            if n < len(order):
                for writer in chance.sample(range(writers), chance.randint(1, writers)):
                    queues[writer].append(order[n])
    return queues


async def ends(db: Db) -> dict[int, Any]:
    """Return what is known in the end, by customer."""
    known: dict[int, Any] = {}
    for query in (SESSIONS_OF, USAGE_OF):
        for row in await db.fetch(query):
            known.setdefault(row["customer_id"], []).append(
                tuple(value for name, value in row.items() if name != "customer_id")
            )
    return known


@pytest.fixture
async def writers(database: str) -> AsyncIterator[list[Db]]:
    """Two connections of workers."""
    connections = [await connect(database, role=SYSTEM_ROLE) for _ in range(2)]
    yield connections
    for connection in connections:
        await connection.close(timeout=5)


@pytest.mark.parametrize("events", [ONE_SESSION, REUSED_ID], ids=["one session", "reused id"])
async def test_two_hundred_orders_have_one_end(db: Db, system_db: Db, events: list[AccountingEvent]) -> None:
    await write_all(system_db, of_customer(events, 0), limit=1)
    orders = [shuffled(of_customer(events, customer_id), seed=customer_id) for customer_id in range(1, ORDERS + 1)]
    longest = max(map(len, orders))
    steps = [order[n] for n in range(longest) for order in orders if n < len(order)]
    await write_all(system_db, steps, limit=60)
    known = await ends(db)
    assert len(known) == ORDERS + 1
    assert [customer_id for customer_id, end in known.items() if end != known[0]] == []
    await check_usage(db)


@pytest.mark.parametrize("events", [ONE_SESSION, REUSED_ID], ids=["one session", "reused id"])
async def test_two_writers_that_overlap_have_the_same_end(
    db: Db, writers: list[Db], events: list[AccountingEvent]
) -> None:
    """Neither a deadlock nor an octet too many: each report goes to one of them or to both."""
    await write_all(writers[0], of_customer(events, 0), limit=1)
    orders = [shuffled(of_customer(events, customer_id), seed=customer_id) for customer_id in range(1, 101)]
    queues = spread(orders, len(writers), random.Random(1))
    await asyncio.gather(*(write_all(writer, queue, limit=40) for writer, queue in zip(writers, queues, strict=True)))
    known = await ends(db)
    assert len(known) == 101
    assert [customer_id for customer_id, end in known.items() if end != known[0]] == []
    await check_usage(db)


async def test_two_writers_of_the_same_batches_at_the_same_time(db: Db, writers: list[Db]) -> None:
    """Two spools that hold the same: everything is applied by one and a duplicate for the other."""
    batches = [
        [event._replace(customer_id=n, acct_session_id=f"81{n:06x}") for n in range(100)] for event in ONE_SESSION
    ]
    for batch in batches:
        results = await asyncio.gather(*(record(writer, batch) for writer in writers))
        for first, second in zip(*results, strict=True):
            assert {first.outcome.value, second.outcome.value} == {"applied", "duplicate"}
    known = await ends(db)
    assert len(known) == 100
    assert all(end == known[0] for end in known.values())
    await check_usage(db)


AGE = """
UPDATE accounting.sessions SET closed_at = now() - interval '25 hours'
 WHERE ctid IN (SELECT ctid FROM accounting.sessions WHERE state = 'closed' LIMIT 60 FOR UPDATE SKIP LOCKED)
"""


@pytest.mark.parametrize("events", [ONE_SESSION, REUSED_ID], ids=["one session", "reused id"])
async def test_sessions_that_are_archived_meanwhile_have_the_same_end(
    db: Db, system_db: Db, writers: list[Db], events: list[AccountingEvent]
) -> None:
    """Whatever is closed may become history between any two batches, and be wanted again by the next."""
    await write_all(writers[0], of_customer(events, 0), limit=1)
    orders = [shuffled(of_customer(events, customer_id), seed=customer_id) for customer_id in range(1, 61)]
    queues = spread(orders, len(writers), random.Random(2))
    batches = [0] * len(writers)
    progressed = asyncio.Event()
    moved = 0

    async def write(number: int) -> None:
        def batch_done() -> None:
            batches[number] += 1
            progressed.set()

        await write_all(writers[number], queues[number], 40, batch_done)

    async def archive(writing: asyncio.Future[Any]) -> None:
        nonlocal moved
        while not writing.done():
            await db.execute(AGE)
            before = list(batches)
            while not writing.done() and any(map(int.__eq__, before, batches)):  # a day is longer than a batch
                progressed.clear()
                await progressed.wait()
            moved += await archive_closed(system_db, time.time())

    writing = asyncio.gather(*map(write, range(len(writers))))
    writing.add_done_callback(lambda _: progressed.set())
    await asyncio.gather(writing, archive(writing))
    assert moved > 0
    await archive_closed(system_db, TOMORROW)
    known = await ends(db)
    assert len(known) == 61
    assert [customer_id for customer_id, end in known.items() if end != known[0]] == []
    await check_usage(db)
