"""The machine that figures come from, and the CPU time that a tree of processes has used."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICK_US: Final = 1_000_000 / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, object]:
    """Return what a figure means nothing without."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    try:
        children = [entry.read_text() for entry in Path(f"/proc/{pid}/task").glob("*/children")]
    except FileNotFoundError:
        return
    for child in " ".join(children).split():
        yield from tree(int(child))


def cpu_us(pid: int) -> float:
    """Return the CPU time of a process, user and system, in microseconds, with that of children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) * _TICK_US


def pin(pid: int, core: int) -> None:
    """Keep a tree of processes, with all their threads, on one core."""
    for one in tree(pid):
        for thread in Path(f"/proc/{one}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
