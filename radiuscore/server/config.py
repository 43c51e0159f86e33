"""What the supervisor is told, and what it tells each child: one line of JSON on the child's standard input.

A child gets its secrets this way and no other, so that no argument list or environment shows them.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

Server: TypeAlias = Literal["auth", "acct"]
SERVERS: Final[tuple[Server, ...]] = ("auth", "acct")


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """One run of the server. ``hosts`` are addresses of this machine, one socket each; port 0 is any free one.

    ``dsn`` and ``accounting_dsn`` log in as a role that may become ``radiuscore_system``; ``run_dir`` holds the
    workers' channel and must be this user's own. ``log_format`` is what a child writes to standard error.
    ``for_management`` is JSON that only the management process is told.
    """

    hosts: tuple[str, ...]
    auth_port: int
    acct_port: int
    workers: int
    dsn: str = field(repr=False)
    accounting_dsn: str = field(repr=False)
    encryption_keys: str = field(repr=False)
    data_dir: Path
    run_dir: Path
    log_level: str = "info"
    log_format: Literal["console", "json"] = "json"
    for_management: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class InheritedSocket:
    """A bound socket that a worker is handed, and which port of the engine it belongs to."""

    fd: int
    server: Server


@dataclass(frozen=True, slots=True)
class Orders:
    """What one child is to do. ``slot`` is a worker's number, ``None`` for the management process.

    ``generation`` counts the processes this slot has had before. Numbers are inherited file descriptors:
    ``heartbeat_fd`` is written, ``counters_fd`` holds what the predecessor counted.
    """

    config: ServeConfig
    slot: int | None
    generation: int
    auth_port: int
    acct_port: int
    heartbeat_fd: int
    counters_fd: int | None = None
    sockets: tuple[InheritedSocket, ...] = ()

    def to_line(self) -> bytes:
        """Return the orders as one line of JSON."""
        return json.dumps(asdict(self), default=os.fspath).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Orders":
        """Return the orders that `to_line` wrote."""
        given: dict[str, Any] = json.loads(line)
        config = given["config"]
        config |= {
            "hosts": tuple(config["hosts"]),
            "data_dir": Path(config["data_dir"]),
            "run_dir": Path(config["run_dir"]),
        }
        sockets = tuple(InheritedSocket(**one) for one in given["sockets"])
        return cls(**given | {"config": ServeConfig(**config), "sockets": sockets})
