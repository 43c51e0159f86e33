"""The packet trace: what one ISP sees of its own packets, never of another's, and no secret in any of it."""

import asyncio
from collections.abc import Mapping
from time import time
from typing import Any

import pytest

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.changes import Snapshot
from radiuscore.aaa.names import username_key
from radiuscore.aaa.records import Customer, Isp, Nas, ServicePlan
from radiuscore.engine.engine import Engine
from radiuscore.engine.exchange import NotDurable, Pending
from radiuscore.engine.policy_replica import Login, ReplicaPolicy
from radiuscore.server.listener import Handle
from radiuscore.server.trace import Tracer, TraceRequest
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.wire.packet import Pair, encode_attributes, encode_request
from radiuscore.wire.password import hide_password
from radiuscore.wire.secret import SharedSecret

SHARED = "192.168.88.1"  # both ISPs have a router at this address
SECRETS = {1: SharedSecret(b"secret-of-one"), 2: SharedSecret(b"secret-of-two")}
AUTHENTICATOR = bytes(range(16))
NOW = Moment(1000.0, 1_800_000_000.0)
PASSWORD = b"opensesame"


class Bench:
    """An engine for two ISPs with the same customer, and a tracer beside it."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.logins: list[Login] = []
        self.future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        nases = [Nas(SHARED, secret=SECRETS[isp].octets, isp_id=isp, id=10 * isp) for isp in (1, 2)]
        nases.append(Nas("10.0.0.1", secret=SECRETS[1].octets, isp_id=1, id=11))
        table, replica = NasTable(nases), Replica()
        customers = [Customer(isp, isp, "bob", "bob", PASSWORD, plan_id=isp) for isp in (1, 2)]
        plans = [ServicePlan(isp, isp, "home") for isp in (1, 2)]
        replica.load(Snapshot([Isp(1, "one"), Isp(2, "two")], nases, plans, customers))
        policy = ReplicaPolicy(replica, self.logins.append, self._record)
        engine = Engine(table, access=policy.access, accounting=policy.accounting)
        self.tracer = Tracer(table, self.events.append, lambda: self.logins[-1] if self.logins else None)
        self.auth: Handle = self.tracer.wrap("auth", engine.auth.handle)
        self.acct: Handle = self.tracer.wrap("acct", engine.acct.handle)

    def _record(self, _: AccountingEvent) -> "asyncio.Future[bool]":
        return self.future

    def trace(self, trace_id: str, isp_id: int, nas_id: int | None = None, username: str | None = None) -> None:
        key = username_key(username) if username is not None else None
        self.tracer.begin(TraceRequest(trace_id, isp_id, nas_id, key, until=time() + 60))


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def source(address: str) -> bytes:
    return (1812).to_bytes(2, "big") + bytes(map(int, address.split(".")))


def login(isp_id: int, username: bytes = b"bob", password: bytes = PASSWORD, identifier: int = 7) -> bytes:
    secret = SECRETS[isp_id]
    pairs: list[Pair] = [(1, username), (2, hide_password(password, secret, AUTHENTICATOR))]
    return encode_request(1, identifier, encode_attributes(pairs), secret, authenticator=AUTHENTICATOR, sign=True)


def interim(isp_id: int) -> bytes:
    pairs: list[Pair] = [(40, (3).to_bytes(4, "big")), (44, b"81a00001"), (1, b"bob")]
    return encode_request(4, 8, encode_attributes(pairs), SECRETS[isp_id])


async def test_a_login_is_told_with_its_reply_and_reason(bench: Bench) -> None:
    bench.trace("t", 1)
    assert isinstance(bench.auth(login(1), source("10.0.0.1"), b"", NOW), bytes)
    bench.auth(login(1, password=b"wrong", identifier=8), source("10.0.0.1"), b"", NOW)
    accepted, rejected = bench.events
    assert accepted["traces"] == ["t"]
    assert (accepted["isp_id"], accepted["nas_id"], accepted["source"], accepted["port"]) == (1, 11, "10.0.0.1", 1812)
    assert 'User-Name = "bob"' in accepted["request"]
    assert accepted["reply"].startswith("Access-Accept 7")
    assert accepted["reason"] == ""
    assert rejected["reply"].startswith("Access-Reject 8")
    assert rejected["reason"] == bench.logins[-1].reason != ""


async def test_no_secret_is_told(bench: Bench) -> None:
    bench.trace("t", 1)
    bench.auth(login(1), source("10.0.0.1"), b"", NOW)
    text = str(bench.events)
    hidden = hide_password(PASSWORD, SECRETS[1], AUTHENTICATOR)
    for secret in (PASSWORD.decode(), SECRETS[1].octets.decode(), hidden.hex()):
        assert secret not in text
    assert "User-Password = <hidden" in text


async def test_at_a_shared_address_each_isp_sees_only_its_own(bench: Bench) -> None:
    for isp_id in (1, 2):
        bench.trace(f"of {isp_id}", isp_id)
    for isp_id in (1, 2, 1):
        bench.auth(login(isp_id), source(SHARED), b"", NOW)
    assert [(event["traces"], event["isp_id"], event["nas_id"]) for event in bench.events] == [
        (["of 1"], 1, 10),
        (["of 2"], 2, 20),
        (["of 1"], 1, 10),
    ]


async def test_at_a_shared_address_what_proves_nothing_is_shown_to_nobody(bench: Bench) -> None:
    for isp_id in (1, 2):
        bench.trace(f"of {isp_id}", isp_id)
    forged = bytearray(login(1))
    forged[30] ^= 1
    for datagram in (bytes(forged), b"\1\1\0", login(1)[:40]):
        bench.auth(datagram, source(SHARED), b"", NOW)
    bench.auth(login(1), source("10.9.9.9"), b"", NOW)
    assert bench.events == []


async def test_what_is_wrong_with_a_devices_own_packets_is_told(bench: Bench) -> None:
    bench.trace("t", 1, nas_id=11)
    bench.auth(login(2), source("10.0.0.1"), b"", NOW)
    bench.auth(login(1)[:40], source("10.0.0.1"), b"", NOW)
    assert [(event["reason"], event["reply"]) for event in bench.events] == [
        ("bad_message_authenticator", None),
        ("bad_length", None),
    ]
    assert bench.events[1]["request"] == "40 octets that are no packet"


async def test_only_the_device_and_the_user_asked_for_are_told(bench: Bench) -> None:
    bench.trace("device", 1, nas_id=10)
    bench.trace("user", 1, username="ALICE")
    bench.trace("both", 1, nas_id=10, username="alice")
    for name in (b"bob", b"alice"):
        for address in (SHARED, "10.0.0.1"):
            bench.auth(login(1, name), source(address), b"", NOW)
    assert [sorted(event["traces"]) for event in bench.events] == [["device"], ["both", "device", "user"], ["user"]]


@pytest.mark.parametrize("durable", [True, False])
async def test_an_answer_that_must_wait_is_told_when_it_is_there(bench: Bench, durable: bool) -> None:
    bench.trace("t", 1)
    pending = bench.acct(interim(1), source("10.0.0.1"), b"", NOW)
    assert isinstance(pending, Pending)
    assert bench.events == []
    if durable:
        bench.future.set_result(True)
    else:
        bench.future.set_exception(NotDurable())
    outcome = await pending
    (event,) = bench.events
    assert "Acct-Status-Type = Interim-Update" in event["request"]
    if durable:
        assert isinstance(outcome, bytes)
        assert event["reply"].startswith("Accounting-Response 8")
    else:
        assert (event["reply"], event["reason"]) == (None, "not_durable")


async def test_a_trace_ends_when_it_is_ended_or_its_time_is_over(bench: Bench) -> None:
    assert not bench.tracer.active
    bench.trace("t", 1)
    assert bench.tracer.active
    bench.tracer.end("t")
    assert not bench.tracer.active
    bench.tracer.begin(TraceRequest("old", 1, None, None, until=time() - 1))
    assert not bench.tracer.active
