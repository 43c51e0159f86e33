"""Send the engine what nobody should: `python -m tests.fuzz_engine --inputs 1000000 --seed 1`.

Requests of every kind are mutated, half of them signed again afterwards so that what is wrong gets past the proof. The
run stops, with the input and exit status 1, at an unexpected error, at a reply to what no secret verifies, at a reply
that is malformed or signed wrongly, at an accept without a proof of the password, and at anything that lands with
another ISP than the one whose secret verified it. Replies are judged by code that shares nothing with the server.
"""

import argparse
import resource
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import Final

from rich.console import Console
from rich.progress import Progress

from radiuscore import MessageAuthenticatorPolicy, Nas
from radiuscore.engine.exchange import Pending
from radiuscore.engine.port import Outcome
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import chap, mschap1, mschap2, pap, report
from tests.protocol.bench import ONE, PASSWORD, SHARED, TWO, Bench, customer, octets_of
from tests.protocol.judge import attributes_of, may_answer, proves
from tests.protocol.oracle import PROXY_STATE, attribute, check_reply, pyrad_accepts, request, vendor

NEW: Final = b"the new secret"
EQUAL: Final = b"a secret of both"
SECRETS: Final = (ONE, TWO, NEW, EQUAL, b"of nobody")
NASES: Final = (
    Nas("10.0.0.1", ONE, isp_id=1, id=11, require_message_authenticator=MessageAuthenticatorPolicy.NO),
    Nas("10.0.0.3", NEW, isp_id=1, id=13, outgoing_secret=ONE, limit_proxy_state=False, swap_octets=True),
    Nas(SHARED, ONE, isp_id=1, id=12, nas_identifier="north"),
    Nas(SHARED, ONE, isp_id=1, id=14, nas_identifier="south"),
    Nas(SHARED, TWO, isp_id=2, id=22),
    Nas("10.0.0.4", EQUAL, isp_id=1, id=15),
    Nas("10.0.0.4", EQUAL, isp_id=2, id=25, proved_at=5.0),
    Nas("10.64.0.0/10", TWO, isp_id=2, id=26),
    Nas("2001:db8::/64", ONE, isp_id=1, id=16),
)
USUAL: Final = {
    "10.0.0.1": (ONE,),
    "10.0.0.3": (ONE, NEW),
    SHARED: (ONE, TWO),
    "10.0.0.4": (EQUAL,),
    "10.64.3.2": (TWO,),
    "2001:db8::7": (ONE,),
    "203.0.113.9": (),
}
SOURCES: Final = tuple(USUAL)
INTERESTING: Final = (0, 1, 2, 3, 4, 6, 16, 18, 19, 20, 26, 33, 69, 79, 80, 97, 127, 128, 241, 245, 246, 253, 254, 255)
EXTRAS: Final = (
    attribute(PROXY_STATE, b"state"),
    attribute(PROXY_STATE, bytes(253)),
    attribute(oracle.NAS_IDENTIFIER, "south"),
    attribute(oracle.EAP_MESSAGE, b"\x02\x01\x00\x09\x01anna"),
    attribute(oracle.CALLING_STATION_ID, "02:00:00:00:00:aa"),
    attribute(97, b"\0\x40\x20\x01\x0d\xb8"),
    attribute(245, b"\x01\x80" + bytes(60)),
    attribute(241, b"\x1a\0\0\x3a\x8c\x08abc"),
    attribute(42, 2**32 - 1) + attribute(52, 7),
    attribute(25, bytes(range(16))),
    vendor(14988, attribute(9, b"realm"), attribute(10, bytes(4))),
)
PYRAD_EVERY: Final = 50
INPUTS_PER_UPDATE: Final = 1000


class Fault(Exception):
    """What must never happen."""


@dataclass
class Input:
    """One datagram, from where, to which port. Its source port is its own, so none is another's retransmission."""

    datagram: bytes
    source: str
    source_port: int
    port: str


@dataclass
class Figures:
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    handling: float = 0.0


def make(random: Random, number: int) -> Input:
    """Return a valid request of any kind, mutated or not, signed again or not."""
    identifier, source = random.randrange(256), random.choice(SOURCES)
    secret = random.choice((*USUAL[source] * 4, *SECRETS))
    password = random.choice((PASSWORD[1], PASSWORD[2], "wrong", ""))
    name = random.choice(("anna", "anna", "anna", "ANNA", "otto", "anna\0", ""))
    extras = random.sample(EXTRAS, random.choice((0, 0, 1, 2, 4)))
    kind = random.randrange(7)
    if kind == 0:
        datagram = pap(name, password, *extras, secret=secret, sign=random.random() < 0.6, identifier=identifier)
    elif kind == 1:
        datagram = chap(name, password, *extras, secret=secret, sign=random.random() < 0.6, identifier=identifier)
    elif kind == 2:
        datagram = mschap1(name, password, *extras, secret=secret, identifier=identifier)
    elif kind == 3:
        datagram = mschap2(name, password, *extras, secret=secret, identifier=identifier)
    elif kind == 4:
        datagram = request(*extras, code=oracle.STATUS_SERVER, sign=secret, identifier=identifier)
    else:
        status = random.choice((1, 2, 3, 7, 8, 15))
        datagram = report(status, *extras, secret=secret, identifier=identifier, sign=random.random() < 0.3)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
        datagram = mutate(datagram, random)
    if random.random() < 0.7:
        datagram = sign_again(datagram, secret if random.random() < 0.9 else random.choice(SECRETS))
    port = "acct" if datagram[:1] == b"\x04" else "auth"
    return Input(datagram, source, number % 65_536, port if random.random() < 0.9 else random.choice(("auth", "acct")))


def mutate(datagram: bytes, random: Random) -> bytes:
    """Return the datagram with one thing changed: a bit, an octet, its end, an attribute, its length."""
    changed = bytearray(datagram)
    place = random.randrange(len(changed)) if changed else 0
    match random.randrange(8) if changed else 5:
        case 0:
            changed[place] ^= 1 << random.randrange(8)
        case 1:
            changed[place] = random.choice(INTERESTING)
        case 2:
            del changed[place:]
        case 3:
            del changed[place : place + random.randrange(1, 20)]
        case 4:
            changed[place:place] = random.randbytes(random.randrange(1, 20))
        case 5:
            changed += random.choice(EXTRAS)
        case 6:
            changed[2:4] = random.choice((0, 19, 20, len(changed), len(changed) + 1, 4097, 65535)).to_bytes(2, "big")
        case _:
            changed = bytearray(shuffled(bytes(changed), random))
    return bytes(changed[:5000])


def shuffled(datagram: bytes, random: Random) -> bytes:
    """Return the packet with its attributes in another order, some doubled and some left out."""
    attributes = attributes_of(datagram)
    if not attributes:
        return datagram
    kept = random.choices(attributes, k=random.randrange(1, 2 * len(attributes)))
    return datagram[:20] + b"".join(attribute(kind, value) for kind, value in kept)


def sign_again(datagram: bytes, secret: bytes) -> bytes:
    """Return the packet with Length, signature and Request Authenticator made right, as far as that is possible."""
    if len(datagram) < 20:
        return datagram
    datagram = datagram[:2] + min(len(datagram), 4096).to_bytes(2, "big") + datagram[4:]
    attributes = attributes_of(datagram)
    if attributes is None:
        return datagram
    signed = [number for number, (kind, _) in enumerate(attributes) if kind == oracle.MESSAGE_AUTHENTICATOR]
    if signed:
        place = signed[0]
        parts = [attribute(kind, value) for number, (kind, value) in enumerate(attributes) if number not in signed[1:]]
        parts[place] = attribute(oracle.MESSAGE_AUTHENTICATOR, bytes(16))
        body = b"".join(parts)
        start = sum(map(len, parts[:place])) + 2
        authenticator = bytes(16) if datagram[0] == oracle.ACCOUNTING_REQUEST else datagram[4:20]
        unsigned = oracle.packet(datagram[0], datagram[1], authenticator, body)
        body = body[:start] + oracle.hmac_md5(secret, unsigned) + body[start + 16 :]
        datagram = oracle.packet(datagram[0], datagram[1], datagram[4:20], body)
    if datagram[0] == oracle.ACCOUNTING_REQUEST:
        length = int.from_bytes(datagram[2:4], "big")
        datagram = datagram[:4] + oracle.md5(datagram[:4], bytes(16), datagram[20:length], secret) + datagram[20:]
    return datagram


class Judge:
    """The engine, and what may come out of it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.figures = Figures()
        self.checked = 0
        self.bench = Bench(NASES, [customer("anna", isp_id) for isp_id in (1, 2)])

    def examine(self, given: Input) -> None:
        outcome = self._handle(given)
        if isinstance(outcome, Discard):
            self.figures.outcomes[outcome.value] += 1
        else:
            assert isinstance(outcome, bytes)
            self._judge(given, outcome)
            self.figures.outcomes[f"reply {outcome[0]}"] += 1
            if self.random.random() < 0.1 and self._handle(given) != outcome:
                raise Fault("a retransmission got other octets")
        self.bench.logins.clear()
        self.bench.recorded.events.clear()
        self.bench.proved.clear()
        self.bench.signed.clear()
        self.bench.pass_time(self.random.choice((0.0, 0.001, 0.05)))

    def _handle(self, given: Input) -> bytes | Discard:
        port = getattr(self.bench.engine, given.port)
        source, began = octets_of(given.source, given.source_port), perf_counter()
        outcome: Outcome = port.handle(given.datagram, source, bytes((192, 0, 2, 10)), self.bench.now)
        if isinstance(outcome, Pending):
            outcome = outcome.finish(None)
        took = perf_counter() - began
        self.figures.handling += took
        self.figures.slowest = max(self.figures.slowest, took)
        if not isinstance(outcome, bytes | Discard):
            raise Fault(f"an outcome of type {type(outcome)}")
        return outcome

    def _judge(self, given: Input, reply: bytes) -> None:
        datagram, port = given.datagram, given.port
        expected = {("auth", 1): (2, 3), ("auth", 12): (2,), ("acct", 4): (5,), ("acct", 12): (5,)}
        if reply[0] not in expected.get((port, datagram[0]), ()):
            raise Fault(f"a reply with code {reply[0]} to one with code {datagram[0]}")
        source = octets_of(given.source, 0)[2:]
        candidates = self.bench.nases.find(source)
        secrets = {
            (entry.nas.isp_id, secret.octets)
            for entry in (candidates.entries if candidates is not None else ())
            for secret in entry.secrets
        }
        able = {pair for pair in secrets if may_answer(datagram, pair[1])}
        used = {pair for pair in able if is_reply_with(reply, datagram, pair[1])}
        if not used:
            raise Fault("a reply to what no secret verifies, or with another secret, or malformed")
        if self.checked % PYRAD_EVERY == 0 and not pyrad_accepts(reply, datagram, min(used)[1]):
            raise Fault("pyrad refuses the reply")
        self.checked += 1
        self._judge_content(given, reply, used, [secret for _, secret in secrets])

    def _judge_content(self, given: Input, reply: bytes, used: set[tuple[int, bytes]], secrets: list[bytes]) -> None:
        asked = attributes_of(given.datagram)
        replied = attributes_of(reply)
        assert asked is not None
        assert replied is not None
        if [value for kind, value in asked if kind == PROXY_STATE] != [v for kind, v in replied if kind == PROXY_STATE]:
            raise Fault("Proxy-State was changed")
        isps = {isp_id for isp_id, _ in used}
        seen = {row.isp_id for row in self.bench.logins} | {event.isp_id for event in self.bench.recorded.events}
        if not seen <= isps:
            raise Fault(f"something of ISP {isps} landed with {seen}")
        if (
            given.datagram[0] == 1
            and reply[0] == 2
            and not any(proves(given.datagram, PASSWORD[isp_id], secrets) for isp_id in isps)
        ):
            raise Fault("an accept without a proof of the password")


def is_reply_with(reply: bytes, asked: bytes, secret: bytes) -> bool:
    try:
        check_reply(reply, asked, secret)
    except (AssertionError, IndexError):
        return False
    return True


def run(inputs: int, seed: int, console: Console) -> Figures:
    """Examine so many inputs. Raises whatever should not happen, having shown the input."""
    random = Random(seed)
    judge = Judge(random)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("inputs", total=inputs)
        for number in range(inputs):
            given = make(random, number)
            try:
                judge.examine(given)
            except BaseException:
                console.print(
                    f"input {number} of seed {seed}: {given.port} from {given.source}\n{given.datagram.hex()}"
                )
                raise
            if number % INPUTS_PER_UPDATE == 0:
                progress.update(task, completed=number)
    return judge.figures


def peak_memory() -> int:
    """Return the most memory this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    console = Console()
    try:
        run(options.inputs // 10, options.seed + 1_000_000, console)  # so that memory is what it is at work
        before, began = peak_memory(), perf_counter()
        figures = run(options.inputs, options.seed, console)
    except Exception:  # noqa: BLE001  # this loop's job is to show it
        console.print(traceback.format_exc())
        return 1
    took = perf_counter() - began
    console.print(
        f"{options.inputs} inputs in {took:.0f} s; {figures.handling / options.inputs * 1e6:.1f} us each in the engine,"
    )
    console.print(
        f"the slowest {figures.slowest * 1e3:.1f} ms; peak memory grew by {peak_memory() - before} of {before} KiB"
    )
    for outcome, count in figures.outcomes.most_common():
        console.print(f"{count:10} {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
