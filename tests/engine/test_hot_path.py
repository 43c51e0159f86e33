"""What a login must not do: wait, make a task, touch a database or a socket, encode again what was encoded before.

Everything that is called between datagram and reply is counted, in Python and in C.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from radiuscore.aaa.changes import CustomerChange, PlanChange
from radiuscore.aaa.records import Customer, CustomerExtras, RateLimit, ServicePlan
from radiuscore.engine.exchange import Pending
from tests.protocol import oracle
from tests.protocol.asks import METHODS, each_method, pap, report
from tests.protocol.bench import ONE, PLANS, Bench, customer, octets_of
from tests.protocol.oracle import ACCESS_ACCEPT, MIKROTIK, read_reply

RATE_LIMIT = 8


def calls_of(function: Callable[[], object]) -> Counter[str]:
    """Count what a function calls, by ``module.name``; C functions without a module by name."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            calls[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"] += 1
        elif event == "c_call":
            calls[f"{called.__module__}.{called.__name__}"] += 1

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    del calls["sys.setprofile"]
    return calls


SOURCE, LOCAL = octets_of("10.0.0.1", 40001), bytes((192, 0, 2, 10))


def calls_of_login(bench: Bench, ask: bytes, source: bytes = SOURCE) -> Counter[str]:
    return calls_of(lambda: bench.engine.auth.handle(ask, source, LOCAL, bench.now))


def names_of(calls: Counter[str]) -> Counter[str]:
    """Return the counts by name alone."""
    names: Counter[str] = Counter()
    for name, count in calls.items():
        names[name.rpartition(".")[2]] += count
    return names


def warm(bench: Bench, method: str) -> None:
    """Let a device be found, proved and latched, and MS-CHAP keep what it derives of the password."""
    for identifier in (250, 251):
        assert bench.login(METHODS[method](identifier=identifier)).code == ACCESS_ACCEPT


@each_method
async def test_a_login_makes_no_task_and_waits_for_nothing(bench: Bench, method: str) -> None:
    made: list[object] = []
    loop = asyncio.get_running_loop()

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    loop.set_task_factory(factory)
    try:
        for identifier, password in ((1, "arctangent"), (2, "wrong")):
            assert isinstance(bench.auth(METHODS[method]("anna", password, identifier=identifier)), bytes)
    finally:
        loop.set_task_factory(None)
    assert made == []


@each_method
def test_a_login_calls_nothing_but_decisions_and_digests(bench: Bench, method: str) -> None:
    warm(bench, method)
    calls = calls_of_login(bench, METHODS[method]())
    modules = {name.rpartition(".")[0].partition(".")[0] for name in calls}
    forbidden = {
        "asyncio", "_asyncio", "asyncpg", "socket", "_socket", "select", "selectors", "sqlite3", "_sqlite3", "logging",
        "threading", "_thread", "time", "datetime", "ipaddress", "json", "re", "random", "zoneinfo",
    }  # fmt: skip
    assert "radiuscore" in modules
    assert not modules & forbidden
    assert not [name for name in calls if "radiuscore.store" in name or "radiuscore.server" in name]


def test_accounting_calls_no_loop_and_no_database_until_its_record_is_handed_over(bench: Bench) -> None:
    bench.acknowledged(report())
    outcome: list[object] = []
    ask = report(3, identifier=8)
    calls = calls_of(lambda: outcome.append(bench.engine.acct.handle(ask, SOURCE, LOCAL, bench.now)))
    assert isinstance(outcome[0], Pending)
    assert not {name.partition(".")[0] for name in calls} & {"asyncio", "_asyncio", "asyncpg", "socket", "_socket"}


ENCODING = {"rate_limit_text", "plan_reply", "customer_reply", "encode_attributes", "_build", "build"}


@pytest.mark.parametrize(
    "who",
    [
        customer("anna"),
        customer("anna", extras=CustomerExtras(rate_limit=RateLimit(download_bps=7_000_000, upload_bps=7_000_000))),
    ],
    ids=["of the plan", "his own"],
)
@pytest.mark.parametrize("method", ["pap", "chap"])
def test_the_speed_is_encoded_when_a_record_comes_and_not_when_a_login_does(who: Customer, method: str) -> None:
    bench = Bench(customers=[who])
    warm(bench, method)
    assert not names_of(calls_of_login(bench, METHODS[method]())).keys() & ENCODING
    rate = bench.login(METHODS[method](identifier=8)).of_vendor(MIKROTIK, RATE_LIMIT)
    assert rate == [b"7M/7M" if who.extras is not None else b"10M/50M"]


def test_all_customers_of_a_plan_share_its_octets(bench: Bench) -> None:
    isp = bench.replica.find_isp(1)
    assert isp is not None
    for number in range(100):
        bench.replica.apply(CustomerChange(1, f"c{number}", customer(f"c{number}", id=number)))
    assert {id(isp.plans[entry.customer.plan_id or 0].normal_octets) for entry in isp.customers.values()} == {
        id(isp.plans[5].normal_octets)
    }
    assert not [entry for entry in isp.customers.values() if entry.reply is not None]


def test_a_changed_plan_is_in_the_next_reply(bench: Bench) -> None:
    assert bench.login(pap(identifier=1)).of_vendor(MIKROTIK, RATE_LIMIT) == [b"10M/50M"]
    faster = ServicePlan(id=5, isp_id=1, name="home", rate_limit=RateLimit(download_bps=99_000_000))
    bench.replica.apply(PlanChange(1, 5, faster))
    assert bench.login(pap(identifier=2)).of_vendor(MIKROTIK, RATE_LIMIT) == [b"0/99M"]
    assert PLANS[0].rate_limit != faster.rate_limit


@each_method
def test_a_login_computes_each_digest_once(bench: Bench, method: str) -> None:
    warm(bench, method)
    counted = names_of(calls_of_login(bench, METHODS[method]()))
    assert counted["hmac_md5"] == 2  # one signature verified, one made
    assert counted["compare_digest"] == 2  # the signature, and the password
    assert counted["encode_reply"] == 1


def test_a_duplicate_costs_its_proof_and_nothing_more(bench: Bench) -> None:
    warm(bench, "mschapv2")
    ask = METHODS["mschapv2"]()
    bench.auth(ask)
    names = names_of(calls_of_login(bench, ask))
    assert names["hmac_md5"] == 1
    assert not names.keys() & {"decide_access", "AccessRequest", "encode_reply", "v2_success"}


def test_a_stranger_costs_one_look(bench: Bench) -> None:
    """Forged sources come by the million: no decoding, no digest, and nothing is kept."""
    names = names_of(calls_of_login(bench, pap(), octets_of("203.0.113.77", 1)))
    assert not names.keys() & {"decode", "hmac_md5", "md5", "Candidates"}


def test_memory_does_not_grow_with_requests(bench: Bench) -> None:
    """What is kept of requests is the table of replies, and that is bounded by time and number."""
    for number in range(20_000):
        bench.auth(pap(identifier=number % 256, authenticator=number.to_bytes(16, "big")))
        bench.logins.clear()
        bench.pass_time(0.01)
    kept = bench.engine.auth._duplicates
    assert len(kept) <= 2 * 256  # two generations
    reply = bench.auth(pap())
    assert read_reply(reply, pap(), ONE).code == oracle.ACCESS_ACCEPT
