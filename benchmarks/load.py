"""A load generator that is not the limit: requests are built before, replies are verified after, and in between there
are only batches.

    python -m benchmarks.load pap 127.0.0.1 [--auth 1812] [--acct 1813] [--seconds 3] [--rate 10000]

Without ``--rate`` the loop is closed: each port keeps a window of requests under way. With it the loop is open:
requests leave at random moments (Poisson) whatever comes back, and a latency counts from the moment a request was due.
The server must know the customers and the secret of `population`. Ends with JSON.
"""

import argparse
import json
import os
import random
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from benchmarks.machine import machine
from benchmarks.population import NAS_ADDRESS
from benchmarks.traffic import IDENTIFIERS, KINDS, SHARED, Ask, Router, Server, requests
from radiuscore.server.batchsocket import datagram_socket
from radiuscore.server.packetinfo import Datagram
from radiuscore.testing.credentials import BadProof
from radiuscore.wire.authenticator import verify_reply
from radiuscore.wire.codes import Code
from radiuscore.wire.packet import decode

PORTS: Final = 8
WINDOW: Final = 16
LATE_S: Final = 0.3  # RouterOS's default timeout: who is answered after it has asked again
EXPIRE_EVERY_S: Final = 0.05
DRAIN_S: Final = 1.0
BUFFER: Final = 8 << 20
_GOOD: Final = frozenset({Code.ACCESS_ACCEPT, Code.ACCOUNTING_RESPONSE})


@dataclass(frozen=True)
class Outcome:
    """What came of a run. ``good`` replies were verified; ``bad`` ones are forged, damaged or rejections.

    ``lost`` got no reply in all their tries, ``late`` one after it was given up, ``again`` counts retransmissions.
    ``latencies`` are in seconds, in order of length.
    """

    seconds: float
    good: int
    bad: int
    lost: int
    late: int
    again: int
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Verified replies per second."""
        return self.good / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the latency in seconds that this many percent of the replies do not exceed."""
        if not self.latencies:
            return 0.0
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]

    def figures(self) -> dict[str, float]:
        """Return the numbers, latencies in milliseconds."""
        counts = {"good": self.good, "bad": self.bad, "lost": self.lost, "late": self.late, "again": self.again}
        times = {f"p{percent}_ms": round(1e3 * self.percentile(percent), 3) for percent in (50, 90, 99, 99.9)}
        return {"rate": round(self.rate), **counts, **times}


class _Port:
    """One source port: what is under way from it, by identifier, and its own way through the requests."""

    def __init__(self, start: int) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        sock.bind(("0.0.0.0", 0))
        self.socket: Final = datagram_socket(sock)
        self.under_way: Final[dict[int, tuple[int, float, float, int]]] = {}
        self.next = start


class Client:
    """Asks one server over `PORTS` ports of its own. Used for one run: no request is a retransmission by chance."""

    def __init__(self, asks: Sequence[Ask], host: str, ports: dict[Server, int], *, tries: int = 1) -> None:
        assert len(asks) % IDENTIFIERS == 0
        peers = {server: port.to_bytes(2, "big") + socket.inet_aton(host) for server, port in ports.items()}
        self._asks = asks
        self._aimed: list[Datagram] = [(ask.octets, peers[ask.server], ask.source, 0) for ask in asks]
        self._tries = tries
        turns = len(asks) // IDENTIFIERS
        self._ports = [_Port(number * turns // PORTS * IDENTIFIERS) for number in range(PORTS)]
        self._by_fd = {port.socket.fileno(): port for port in self._ports}
        self._poll = select.epoll()
        for descriptor in self._by_fd:
            self._poll.register(descriptor, select.EPOLLIN)
        self._replies: list[tuple[int, bytes, float]] = []
        self._late = self._lost = self._again = 0

    def closed_loop(self, seconds: float, window: int = WINDOW) -> Outcome:
        """Keep ``window`` requests under way from each port for so long, and wait for the last replies."""
        began = now = perf_counter()
        expire_at = began + EXPIRE_EVERY_S
        for port in self._ports:
            self._send(port, window, now)
        while now - began < seconds:
            for descriptor, _ in self._poll.poll(EXPIRE_EVERY_S):
                port = self._by_fd[descriptor]
                now = perf_counter()
                self._receive(port, now)
                self._send(port, window - len(port.under_way), now)
            now = perf_counter()
            if now > expire_at:
                self._expire(now)
                expire_at = now + EXPIRE_EVERY_S
                for port in self._ports:
                    self._send(port, window - len(port.under_way), now)
        return self._finish(began)

    def open_loop(self, rate: float, seconds: float) -> Outcome:
        """Ask at random moments, ``rate`` times a second on average, whatever comes back."""
        chance = random.Random(1)
        began = now = perf_counter()
        due = began
        turn = 0
        expire_at = began + EXPIRE_EVERY_S
        while now - began < seconds:
            for descriptor, _ in self._poll.poll(0):
                self._receive(self._by_fd[descriptor], perf_counter())
            now = perf_counter()
            while due <= now:
                self._send(self._ports[turn % PORTS], 1, due)
                turn += 1
                due += chance.expovariate(rate)
            if now > expire_at:
                self._expire(now)
                expire_at = now + EXPIRE_EVERY_S
        return self._finish(began)

    def _send(self, port: _Port, count: int, due: float) -> None:
        """Send the next requests of a port, as far as their identifiers are free."""
        aimed, under_way, index = self._aimed, port.under_way, port.next
        batch = []
        for _ in range(count):
            identifier = index % IDENTIFIERS
            if identifier in under_way:
                break
            under_way[identifier] = (index, due, due, 1)
            batch.append(aimed[index])
            index += 1
            if index == len(aimed):
                index = 0
        port.next = index
        if batch:
            port.socket.send(batch)

    def _receive(self, port: _Port, now: float) -> None:
        pop, keep = port.under_way.pop, self._replies.append
        for octets, _, _, _ in port.socket.receive():
            asked = pop(octets[1], None)
            if asked is None:
                self._late += 1
            else:
                keep((asked[0], octets, now - asked[1]))

    def _expire(self, now: float) -> None:
        """Ask again, or give up, what was not answered in time."""
        for port in self._ports:
            overdue = [(ident, asked) for ident, asked in port.under_way.items() if now - asked[2] > LATE_S]
            for identifier, (index, due, _, tries) in overdue:
                if tries < self._tries:
                    port.under_way[identifier] = (index, due, now, tries + 1)
                    port.socket.send([self._aimed[index]])
                    self._again += 1
                else:
                    del port.under_way[identifier]
                    self._lost += 1

    def _finish(self, began: float) -> Outcome:
        """Wait for what is under way, then verify everything."""
        ended = now = perf_counter()
        while any(port.under_way for port in self._ports) and now - ended < DRAIN_S:
            for descriptor, _ in self._poll.poll(EXPIRE_EVERY_S):
                self._receive(self._by_fd[descriptor], perf_counter())
            now = perf_counter()
            self._expire(now)
        for port in self._ports:
            port.socket.close()
        self._poll.close()
        good = sum(_is_good(self._asks[index], reply) for index, reply, _ in self._replies)
        latencies = sorted(latency for _, _, latency in self._replies)
        bad = len(self._replies) - good
        lost = self._lost + sum(len(port.under_way) for port in self._ports)
        return Outcome(now - began, good, bad, lost, self._late, self._again, latencies)


def _is_good(ask: Ask, reply: bytes) -> bool:
    """Tell whether a reply is genuine and says yes, and proves that the server knows the password."""
    if not verify_reply(reply, ask.octets, SHARED):
        return False
    packet = decode(reply)
    if packet.code not in _GOOD:
        return False
    try:
        if ask.offer is not None:
            ask.offer.verify_accept(packet, SHARED, ask.octets[4:20])
    except BadProof:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("--auth", type=int, default=1812)
    parser.add_argument("--acct", type=int, default=1813)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rate", type=float, help="open loop: requests per second")
    parser.add_argument("--window", type=int, default=WINDOW, help="closed loop: requests under way from each port")
    parser.add_argument("--tries", type=int, default=1, help="RouterOS tries 3 times, 300 ms apart")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--source", nargs="+", default=[NAS_ADDRESS], help="routers' addresses, all of this machine")
    parser.add_argument("--requests", type=int, default=20_000, help="how many to build")
    parser.add_argument("--core", type=int, help="the core to run on")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    routers = [Router(options.customers, source, seed) for seed, source in enumerate(options.source)]
    asks = requests(options.kind, options.requests, routers)
    client = Client(asks, options.host, {"auth": options.auth, "acct": options.acct}, tries=options.tries)
    outcome = (
        client.closed_loop(options.seconds, options.window)
        if options.rate is None
        else client.open_loop(options.rate, options.seconds)
    )
    result: dict[str, Any] = {"kind": options.kind, **outcome.figures(), "machine": machine()}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
