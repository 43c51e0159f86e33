"""What a login may not cost: no task, no statement, no connection; the whole path from socket to socket but for SQL."""

import asyncio
import socket
from collections.abc import AsyncIterator
from os import urandom
from typing import Any

import pytest

from radiuscore.aaa.changes import Snapshot
from radiuscore.aaa.records import Customer, Isp, Nas, ServicePlan
from radiuscore.engine.engine import Engine
from radiuscore.engine.policy_reserving import ReservingPolicy
from radiuscore.server.accounting_writer import AccountingWriter
from radiuscore.server.batchsocket import datagram_socket
from radiuscore.server.deferred_writer import LoginLog
from radiuscore.server.discardlog import DiscardLog
from radiuscore.server.ledger import DatabaseLedger
from radiuscore.server.link import DatabaseLink
from radiuscore.server.listener import Listener
from radiuscore.server.reservations import Reservations
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.wire.packet import encode_attributes, encode_request
from radiuscore.wire.password import hide_password
from radiuscore.wire.secret import SharedSecret
from tests.server.support import tasks_made

SECRET = SharedSecret(b"s3cret")
LOGINS = 128


class Bench:
    """One authentication port over loopback, with every part that a worker puts behind it."""

    def __init__(self) -> None:
        self.connections = 0
        nas = Nas("127.0.0.1", secret=SECRET.octets, isp_id=1, id=1)
        nases, replica = NasTable([nas]), Replica()
        customer = Customer(1, 1, "bob", "bob", b"opensesame", plan_id=1)
        replica.load(Snapshot([Isp(1, "one")], [nas], [ServicePlan(1, 1, "home")], [customer]))
        link = DatabaseLink(self._connect, "a test")
        self.logins = LoginLog(link, self._write)
        writer = AccountingWriter(DatabaseLedger(link, "here"))
        policy = ReservingPolicy(replica, self.logins.offer, writer.submit, Reservations([link], replica))
        engine = Engine(nases, access=policy.admit, accounting=policy.accounting)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(sock.getsockname())
        self.client.setblocking(False)
        self.listener = Listener(datagram_socket(sock), engine.auth, DiscardLog(lambda _: {}).note)

    async def _connect(self) -> Any:
        self.connections += 1
        raise ConnectionRefusedError

    async def _write(self, *_: object) -> None:
        raise AssertionError("nothing is written during a login")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.listener.close()
    bench.client.close()


def login(number: int, password: bytes) -> bytes:
    authenticator = urandom(16)
    pairs = encode_attributes([(1, b"bob"), (2, hide_password(password, SECRET, authenticator))])
    return encode_request(1, number % 256, pairs, SECRET, authenticator=authenticator, sign=True)


async def test_a_login_makes_no_task_and_asks_no_database(bench: Bench) -> None:
    for number in range(LOGINS):
        bench.client.send(login(number, b"opensesame" if number % 2 else b"wrong"))
    with tasks_made() as made:
        bench.listener.start()
        deadline = asyncio.get_running_loop().time() + 5
        while sum(bench.listener.durations.counts) < LOGINS:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0)

    assert (made, bench.connections) == ([], 0)
    codes = [bench.client.recv(4096)[0] for _ in range(LOGINS)]
    assert codes == [3, 2] * (LOGINS // 2)
    assert bench.logins.queued == LOGINS
