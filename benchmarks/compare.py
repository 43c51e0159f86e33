"""The product beside FreeRADIUS: CPU per request and rate, in rounds that take turns on the same core.

    python -m benchmarks.compare [--kinds pap chap mschapv2] [--rounds 5] [--seconds 2] [--customers 10000]

Both servers run on core 0, the client on core 1. The figure to trust is the CPU time (user and system) of a server's
whole tree of processes per verified reply, and the ratio within one run: a rate depends on what else the machine does.
The product's tree is the supervisor, the worker, the management process *and* PostgreSQL, and the time counts until a
second after the last reply, so that the log of logins is written. Ends with JSON.
"""

import argparse
import asyncio
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.freeradius import freeradius, version
from benchmarks.load import Client, Outcome
from benchmarks.machine import cpu_us, machine, pin, tree
from benchmarks.population import populated
from benchmarks.product import Serving, serving
from benchmarks.traffic import KINDS, Ask, Router, requests

SERVER_CORE: Final = 0
CLIENT_CORE: Final = 1
SETTLE_S: Final = 1.2
WARM_S: Final = 1.0
_PINNED: Final = ("taskset", "-c", str(SERVER_CORE))


@dataclass
class Contender:
    """A server under test: the processes whose time counts, and what each round gave."""

    name: str
    serving: Serving
    roots: Sequence[int]
    rounds: list[tuple[Outcome, dict[str, float]]] = field(default_factory=list)

    def cpu(self) -> dict[str, float]:
        """Return the CPU time of every process of the server by what it is, in microseconds."""
        used: dict[str, float] = {}
        for root in self.roots:
            for pid in tree(root):
                part = _part_of(pid)
                used[part] = used.get(part, 0.0) + cpu_us(pid)
        return used

    @property
    def us_each(self) -> list[float]:
        """CPU microseconds per verified reply, one figure per round."""
        return [sum(used.values()) / max(1, outcome.good) for outcome, used in self.rounds]


def _part_of(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return "ended"
    for mark, part in ((b"server.worker", "worker"), (b"mgmt\0serve", "supervisor"), (b"mgmt", "management")):
        if mark in command:
            return part
    return "postgres" if b"postgres" in command else "freeradius"


async def measure(contender: Contender, asks: Sequence[Ask], seconds: float) -> None:
    """Run one round."""
    before = contender.cpu()
    outcome = _client(contender, asks).closed_loop(seconds)
    await asyncio.sleep(SETTLE_S)
    after = contender.cpu()
    contender.rounds.append((outcome, {part: used - before.get(part, 0.0) for part, used in after.items()}))


def _client(contender: Contender, asks: Sequence[Ask]) -> Client:
    return Client(asks, "127.0.0.1", {"auth": contender.serving.auth, "acct": contender.serving.acct})


async def compare(
    kind: str, pair: tuple[Contender, Contender], asks: Sequence[Ask], rounds: int, seconds: float
) -> Any:
    """Measure one kind of request; return the figures of both and their ratio."""
    for contender in pair:
        contender.rounds.clear()
        _client(contender, asks).closed_loop(WARM_S)
    for number in range(rounds):
        for contender in pair if number % 2 else reversed(pair):
            await measure(contender, asks, seconds)
    theirs, ours = pair
    ratios = [other / own for other, own in zip(theirs.us_each, ours.us_each, strict=True)]
    figures = {
        "kind": kind,
        "ratio": round(statistics.median(ratios), 2),
        "ratio_from": round(min(ratios), 2),
        "ratio_to": round(max(ratios), 2),
        **{contender.name: _figures(contender) for contender in pair},
    }
    _print(figures)
    return figures


def _figures(contender: Contender) -> dict[str, Any]:
    outcomes = [outcome for outcome, _ in contender.rounds]
    parts = sorted({part for _, used in contender.rounds for part in used})
    return {
        "us": round(statistics.median(contender.us_each), 2),
        "us_from": round(min(contender.us_each), 2),
        "us_to": round(max(contender.us_each), 2),
        "rate": round(statistics.median(outcome.rate for outcome in outcomes)),
        "p99_ms": round(statistics.median(outcome.percentile(99) for outcome in outcomes) * 1e3, 2),
        "good": sum(outcome.good for outcome in outcomes),
        "bad": sum(outcome.bad for outcome in outcomes),
        "lost": sum(outcome.lost for outcome in outcomes),
        "late": sum(outcome.late for outcome in outcomes),
        "us_of": {
            part: round(
                statistics.median(used.get(part, 0.0) / max(1, outcome.good) for outcome, used in contender.rounds), 2
            )
            for part in parts
        },
    }


def _print(figures: dict[str, Any]) -> None:
    for name in ("freeradius", "radiuscore"):
        one = figures[name]
        print(
            f"{figures['kind']:18} {name:10} {one['us']:6.2f} us ({one['us_from']:.2f} to {one['us_to']:.2f}) "
            f"{one['rate']:6}/s  p99 {one['p99_ms']:6.2f} ms  bad {one['bad']} lost {one['lost']} late {one['late']}  "
            + ", ".join(f"{part} {us}" for part, us in one["us_of"].items())
        )
    print(
        f"{figures['kind']:18} ratio {figures['ratio']:.2f} ({figures['ratio_from']:.2f} to {figures['ratio_to']:.2f})",
        flush=True,
    )


async def run(options: argparse.Namespace) -> dict[str, Any]:
    os.sched_setaffinity(0, {CLIENT_CORE})
    async with populated(options.customers, per_isp=options.customers) as population:
        pin(population.postmaster, SERVER_CORE)
        async with (
            freeradius(options.customers, bare=options.bare, prefix=_PINNED) as theirs,
            serving(population, _PINNED) as ours,
        ):
            pair = (
                Contender("freeradius", theirs, (theirs.pid,)),
                Contender("radiuscore", ours, (ours.pid, population.postmaster)),
            )
            results = []
            for kind in options.kinds:
                asks = requests(kind, options.requests, [Router(options.customers)])
                results.append(await compare(kind, pair, asks, options.rounds, options.seconds))
    return {
        "results": results,
        "customers": options.customers,
        "rounds": options.rounds,
        "machine": machine(),
        "freeradius": await version(),
        "bare": options.bare,
        "postgres": population.postgres,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["pap", "chap", "mschapv2"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=20_000, help="how many to build; each port goes round them")
    parser.add_argument("--bare", action="store_true", help="FreeRADIUS without what Debian configures beside `files`")
    print(json.dumps(asyncio.run(run(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
