"""Retransmissions: one request is processed once and answered with the same octets. Numbers: docs/protocol.md."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from radiuscore import Accept, AccessRequest, AccountingEvent, Nas, NotDurable, RadiusServer
from radiuscore.aaa.changes import CustomerChange
from radiuscore.aaa.records import CustomerStatus
from radiuscore.engine.engine import Engine
from radiuscore.engine.exchange import Pending
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasTable
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import METHODS, each_method, pap, report
from tests.protocol.bench import ONE, PASSWORD, SHARED, TWO, Bench, customer, octets_of
from tests.protocol.oracle import ACCESS_ACCEPT, ACCESS_REJECT, attribute, read_reply, request

ANOTHER = b"\x5a" * 16


def suspend(bench: Bench) -> None:
    """From now on a request that is processed afresh is rejected."""
    bench.replica.apply(CustomerChange(1, "anna", customer("anna", status=CustomerStatus.SUSPENDED)))


def test_d1_another_source_port_address_asked_code_or_identifier_is_another_request(bench: Bench) -> None:
    assert bench.login(pap()).code == ACCESS_ACCEPT
    suspend(bench)
    assert bench.login(pap()).code == ACCESS_ACCEPT  # the same
    assert bench.login(pap(), port=40002).code == ACCESS_REJECT
    assert bench.login(pap(), local="192.0.2.11").code == ACCESS_REJECT
    assert bench.login(pap(identifier=8)).code == ACCESS_REJECT
    status = request(code=oracle.STATUS_SERVER, sign=ONE)
    assert bench.login(status).kinds == [oracle.MESSAGE_AUTHENTICATOR]  # the same identifier and authenticator
    assert len(bench.logins) == 4


def test_d1_another_source_address_is_another_request() -> None:
    bench = Bench([Nas("10.0.0.0/24", ONE, isp_id=1, id=11)])
    assert bench.login(pap(), "10.0.0.1").code == ACCESS_ACCEPT
    suspend(bench)
    assert bench.login(pap(), "10.0.0.1").code == ACCESS_ACCEPT
    assert bench.login(pap(), "10.0.0.2").code == ACCESS_REJECT


def test_d1_two_ports_of_the_server_share_no_identifiers(bench: Bench) -> None:
    status = request(code=oracle.STATUS_SERVER, sign=ONE)
    first = bench.auth(status)
    second = bench.acct(status)
    assert read_reply(first, status, ONE).code == ACCESS_ACCEPT
    assert read_reply(second, status, ONE).code == oracle.ACCOUNTING_RESPONSE


def test_d1_whoever_is_behind_the_same_address_and_port_has_identifiers_of_his_own(bench: Bench) -> None:
    """Two tunnels end in one address: the neighbour's requests push nobody's replies out, whatever they carry."""
    mine = pap()
    first = bench.auth(mine, SHARED)
    assert read_reply(first, mine, ONE).code == ACCESS_ACCEPT
    theirs = pap("anna", PASSWORD[2], secret=TWO)  # the same port, identifier and authenticator
    assert bench.login(theirs, SHARED, TWO).code == ACCESS_ACCEPT
    assert bench.auth(mine, SHARED) == first
    assert [row.isp_id for row in bench.logins] == [1, 2]


@each_method
def test_d2_the_same_authenticator_is_a_duplicate_and_another_a_new_request(bench: Bench, method: str) -> None:
    ask = METHODS[method]()
    first = bench.auth(ask)
    assert bench.auth(ask) == first
    assert (len(bench.logins), bench.engine.auth.counters.duplicates) == (1, 1)
    again = pap(authenticator=ANOTHER)
    assert bench.login(again).code == ACCESS_ACCEPT
    assert len(bench.logins) == 2


def test_d2_a_new_request_replaces_the_old_one(bench: Bench) -> None:
    old, new = pap(), pap(authenticator=ANOTHER)
    bench.login(old)
    replied = bench.auth(new)
    suspend(bench)
    assert bench.auth(new) == replied
    assert bench.login(old).code == ACCESS_REJECT  # nothing is known of it any more
    assert len(bench.logins) == 3


class Held:
    """An engine whose records become durable, and whose logins are decided, when the test says so."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[object]] = []
        self.events: list[AccountingEvent] = []
        self.engine = Engine(
            NasTable([Nas("10.0.0.1", ONE, isp_id=1, id=11)]), access=self._access, accounting=self._accounting
        )

    def _hold(self) -> "asyncio.Future[object]":
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]

    async def _access(self, request: AccessRequest) -> Any:
        return await self._hold()

    def _accounting(self, event: AccountingEvent) -> Awaitable[object]:
        self.events.append(event)
        return self._hold()

    def auth(self, datagram: bytes, now: float = 1000.0) -> bytes | Discard | Pending:
        return self.engine.auth.handle(datagram, octets_of("10.0.0.1", 40001), b"", Moment(now, now))

    def acct(self, datagram: bytes, now: float = 1000.0) -> bytes | Discard | Pending:
        return self.engine.acct.handle(datagram, octets_of("10.0.0.1", 40001), b"", Moment(now, now))


async def test_d3_a_duplicate_of_accounting_that_is_being_stored_is_dropped() -> None:
    held, ask = Held(), report()
    pending = held.acct(ask)
    assert isinstance(pending, Pending)
    assert [held.acct(ask) for _ in range(3)] == [Discard.DUPLICATE_IN_FLIGHT] * 3
    assert len(held.events) == 1
    held.futures[0].set_result(None)
    reply = await pending
    assert read_reply(reply, ask, ONE).code == oracle.ACCOUNTING_RESPONSE
    assert held.acct(ask) == reply
    assert len(held.events) == 1


async def test_d3_a_duplicate_of_a_login_that_is_being_decided_is_dropped() -> None:
    held, ask = Held(), pap()
    pending = held.auth(ask)
    assert isinstance(pending, Pending)
    answer = asyncio.ensure_future(pending)
    await asyncio.sleep(0)
    assert held.auth(ask) is Discard.DUPLICATE_IN_FLIGHT
    assert len(held.futures) == 1
    held.futures[0].set_result(Accept())
    reply = await answer
    assert read_reply(reply, ask, ONE).code == ACCESS_ACCEPT
    assert held.auth(ask) == reply


async def test_d3_a_request_whose_identifier_was_taken_is_stored_and_not_answered() -> None:
    """The NAS waits for the answer to the newer one; of that a duplicate is still known to be in flight."""
    held, old, new = Held(), report(1), report(3)
    first, second = held.acct(old), held.acct(new)
    assert isinstance(first, Pending)
    assert isinstance(second, Pending)
    held.futures[0].set_result(None)
    assert await first is Discard.REPLACED
    assert held.acct(new) is Discard.DUPLICATE_IN_FLIGHT
    held.futures[1].set_result(None)
    reply = await second
    assert read_reply(reply, new, ONE).code == oracle.ACCOUNTING_RESPONSE
    assert held.acct(new) == reply
    assert [event.status for event in held.events] == [1, 3]


@each_method
@pytest.mark.parametrize("password", [PASSWORD[1], "wrong"])
def test_d4_a_duplicate_gets_the_identical_octets_for_five_seconds_at_least(
    bench: Bench, method: str, password: str
) -> None:
    """MPPE salts, challenges and the session's id are random: made again they would differ."""
    ask = METHODS[method]("anna", password)
    first = bench.auth(ask)
    for _ in range(51):
        assert bench.auth(ask) == first
        bench.pass_time(0.1)
    assert len(bench.logins) == 1


@pytest.mark.parametrize("busy", [True, False])
def test_d4_a_reply_is_not_kept_for_ever(bench: Bench, busy: bool) -> None:
    """What comes minutes later is no retransmission: a recorded request must not be answered as things were."""
    ask = pap()
    bench.login(ask)
    suspend(bench)
    for second in range(20):
        if busy:
            bench.login(pap(identifier=100 + second))
        bench.pass_time(1.0)
    assert bench.login(ask).code == ACCESS_REJECT


@each_method
def test_d5_one_login_attempt_is_one_reject_however_often_it_is_sent(bench: Bench, method: str) -> None:
    ask = METHODS[method]("anna", "wrong")
    replies = {bench.auth(ask) for _ in range(5)}
    assert len(replies) == 1
    assert [row.reason for row in bench.logins] == ["bad_credentials"]
    assert bench.engine.auth.counters.rejects == {"bad_credentials": 1}


def test_d6_a_duplicate_of_accounting_right_after_its_reply_is_acknowledged_again(bench: Bench) -> None:
    ask = report(2, attribute(42, 1000))
    first = bench.acct(ask)
    assert isinstance(first, bytes)
    assert [bench.acct(ask) for _ in range(5)] == [first] * 5
    assert len(bench.recorded.events) == 1


@pytest.mark.parametrize("failure", [NotDurable(), RuntimeError("a fault of ours"), asyncio.CancelledError()])
async def test_d8_a_request_that_failed_is_tried_afresh(failure: BaseException) -> None:
    held, ask = Held(), report()
    pending = held.acct(ask)
    assert isinstance(pending, Pending)
    held.futures[0].set_exception(failure)
    if isinstance(failure, NotDurable):
        assert await pending is Discard.NOT_DURABLE
    else:
        with pytest.raises(type(failure)):
            await pending
    again = held.acct(ask)
    assert isinstance(again, Pending)
    held.futures[1].set_result(None)
    assert read_reply(await again, ask, ONE).code == oracle.ACCOUNTING_RESPONSE
    assert len(held.events) == 2


async def test_d8_an_answer_that_cannot_be_made_is_tried_afresh() -> None:
    held, ask = Held(), pap()
    for attempt in range(2):
        pending = held.auth(ask)
        assert isinstance(pending, Pending), attempt
        answer = asyncio.ensure_future(pending)
        await asyncio.sleep(0)
        held.futures[attempt].set_result("no decision at all")
        with pytest.raises(AttributeError):
            await answer


def test_d8_silence_is_not_remembered() -> None:
    answers = [None, Accept()]
    server = RadiusServer([Nas("10.0.0.1", ONE)])
    server.on_access(lambda _: answers.pop(0))
    ask, source = pap(), ("10.0.0.1", 40001)
    assert server.handle(ask, source) is Discard.NOT_HANDLED
    assert read_reply(server.handle(ask, source), ask, ONE).code == ACCESS_ACCEPT
