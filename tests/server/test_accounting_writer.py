"""What is acknowledged and when: after the ledger has it, once, and never otherwise. The ledger follows a script."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import chain

import pytest

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.engine.exchange import NotDurable
from radiuscore.server import accounting_writer
from radiuscore.server.accounting_writer import MAX_BATCH, AccountingWriter
from radiuscore.server.link import DatabaseAway
from radiuscore.wire.codes import AcctStatusType
from tests.server.support import tasks_made, until


def event(session: str, isp_id: int = 1) -> AccountingEvent:
    return AccountingEvent(isp_id, 1, AcctStatusType.INTERIM_UPDATE, session, "user", "user", received_at=0.0)


class Ledger:
    """Takes batches one at a time; ``gate`` holds them, ``trouble`` is raised while it returns an error."""

    def __init__(self) -> None:
        self.batches: list[list[AccountingEvent]] = []
        self.tries = 0
        self.writing = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: Callable[[Sequence[AccountingEvent]], Exception | None] = lambda _: None

    async def append(self, events: Sequence[AccountingEvent]) -> None:
        self.writing += 1
        assert self.writing == 1
        self.tries += 1
        try:
            await self.gate.wait()
            if (error := self.trouble(events)) is not None:
                raise error
            self.batches.append(list(events))
        finally:
            self.writing -= 1

    @property
    def stored(self) -> list[str]:
        return [one.acct_session_id for one in chain.from_iterable(self.batches)]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def writer(ledger: Ledger) -> AsyncIterator[AccountingWriter]:
    writer = AccountingWriter(ledger)
    task = asyncio.create_task(writer.run())
    yield writer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_event_is_acknowledged_once_it_is_durable(writer: AccountingWriter, ledger: Ledger) -> None:
    ledger.gate.clear()
    future = writer.submit(event("a"))
    await until(lambda: ledger.writing)
    assert not future.done()
    ledger.gate.set()
    assert await asyncio.wait_for(future, 5) is True
    assert (ledger.stored, writer.recorded, writer.batches) == (["a"], 1, 1)


async def test_one_batch_is_in_flight_and_the_next_takes_what_has_queued(
    writer: AccountingWriter, ledger: Ledger
) -> None:
    ledger.gate.clear()
    first = writer.submit(event("first"))
    await until(lambda: ledger.writing)
    futures = [writer.submit(event(str(number))) for number in range(MAX_BATCH + 10)]
    assert writer.queued == MAX_BATCH + 10
    ledger.gate.set()
    assert await asyncio.wait_for(asyncio.gather(first, *futures), 5) == [True] * (MAX_BATCH + 11)
    assert [len(batch) for batch in ledger.batches] == [1, MAX_BATCH, 10]


async def test_no_two_events_of_a_session_share_a_batch(writer: AccountingWriter, ledger: Ledger) -> None:
    ledger.gate.clear()
    writer.submit(event("first"))
    await until(lambda: ledger.writing)
    futures = [writer.submit(event("same", isp_id)) for isp_id in (1, 1, 2, 1)]
    ledger.gate.set()
    await asyncio.wait_for(asyncio.gather(*futures), 5)
    assert [[one.isp_id for one in batch] for batch in ledger.batches[1:]] == [[1, 2], [1], [1]]


async def test_submitting_makes_no_task(writer: AccountingWriter) -> None:
    with tasks_made() as made:
        futures = [writer.submit(event(str(number))) for number in range(100)]
    assert made == []
    await asyncio.wait_for(asyncio.gather(*futures), 5)


async def test_while_the_database_is_away_the_same_batch_is_sent_again(
    writer: AccountingWriter, ledger: Ledger
) -> None:
    ledger.trouble = lambda _: DatabaseAway("refused") if ledger.tries < 4 else None
    futures = [writer.submit(event(name)) for name in "abc"]
    assert await asyncio.wait_for(asyncio.gather(*futures), 5) == [True, True, True]
    assert (ledger.stored, ledger.tries) == (["a", "b", "c"], 4)


async def test_what_cannot_be_made_durable_is_not_acknowledged(
    writer: AccountingWriter, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting_writer, "GIVE_UP_S", 0.3)
    ledger.trouble = lambda _: DatabaseAway("refused")
    futures = [writer.submit(event(name)) for name in "abc"]
    outcomes = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 5)
    assert [type(outcome) for outcome in outcomes] == [NotDurable] * 3
    assert (ledger.stored, writer.given_up, writer.recorded) == ([], 3, 0)
    ledger.trouble = lambda _: None
    assert await asyncio.wait_for(writer.submit(event("afterwards")), 5) is True


@pytest.mark.parametrize("bad", [{"13"}, {"0"}, {"99"}, {"13", "14", "70"}])
async def test_a_record_that_cannot_be_stored_blocks_no_other(
    writer: AccountingWriter, ledger: Ledger, bad: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    ledger.gate.clear()
    writer.submit(event("first"))
    await until(lambda: ledger.writing)
    ledger.trouble = lambda events: ValueError("bad") if bad & {one.acct_session_id for one in events} else None
    futures = {str(number): writer.submit(event(str(number))) for number in range(100)}
    ledger.gate.set()
    await asyncio.wait_for(asyncio.gather(*futures.values(), return_exceptions=True), 5)

    assert {name for name, future in futures.items() if isinstance(future.exception(), NotDurable)} == bad
    assert sorted(ledger.stored[1:], key=int) == [name for name in futures if name not in bad]
    assert (writer.refused, writer.recorded) == (len(bad), 101 - len(bad))
    assert ledger.tries < 50
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert vars(errors[0])["acct_session_id"] in bad


async def test_a_bad_record_and_an_outage_together(writer: AccountingWriter, ledger: Ledger) -> None:
    """The half that was being written when the database went is written again; the other half is not lost."""

    def trouble(events: Sequence[AccountingEvent]) -> Exception | None:
        if ledger.tries in (3, 4, 6):
            return DatabaseAway("gone")
        return ValueError("bad") if "3" in {one.acct_session_id for one in events} else None

    ledger.gate.clear()
    writer.submit(event("first"))
    await until(lambda: ledger.writing)
    ledger.trouble = trouble
    futures = [writer.submit(event(str(number))) for number in range(8)]
    ledger.gate.set()
    outcomes = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 5)
    assert [outcome is True for outcome in outcomes] == [number != 3 for number in range(8)]
    assert sorted(ledger.stored[1:]) == list("0124567")


async def test_who_comes_when_too_many_wait_is_told_at_once(
    writer: AccountingWriter, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting_writer, "MAX_QUEUED", 3)
    ledger.gate.clear()
    futures = [writer.submit(event(str(number))) for number in range(4)]
    assert isinstance(futures[3].exception(), NotDurable)
    ledger.gate.set()
    assert await asyncio.wait_for(asyncio.gather(*futures[:3]), 5) == [True, True, True]


async def test_draining_waits_for_everything(writer: AccountingWriter, ledger: Ledger) -> None:
    ledger.gate.clear()
    futures = [writer.submit(event(name)) for name in "aab"]
    drained = asyncio.create_task(writer.drained())
    await until(lambda: ledger.writing)
    assert not drained.done()
    ledger.gate.set()
    await asyncio.wait_for(drained, 5)
    assert all(future.result() for future in futures)


async def test_ending_in_the_middle_acknowledges_nothing_that_is_not_durable(ledger: Ledger) -> None:
    writer = AccountingWriter(ledger)
    task = asyncio.create_task(writer.run())
    ledger.gate.clear()
    futures = [writer.submit(event(name)) for name in "aab"]
    await until(lambda: ledger.writing)
    futures.append(writer.submit(event("c")))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    futures.append(writer.submit(event("too late")))
    assert [type(future.exception()) for future in futures] == [NotDurable] * 5
    await writer.drained()


async def test_a_future_that_nobody_waits_for_any_more_is_no_trouble(writer: AccountingWriter, ledger: Ledger) -> None:
    ledger.gate.clear()
    abandoned, kept = writer.submit(event("a")), writer.submit(event("b"))
    abandoned.cancel()
    ledger.gate.set()
    assert await asyncio.wait_for(kept, 5) is True
    assert ledger.stored == ["a", "b"]
