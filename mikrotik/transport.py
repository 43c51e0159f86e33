"""What is asked of a router, the same for every way in: read a menu, or run one command. Rows come back as text.

Each way in (`api`, `ssh`, `rest`) is a `Transport`; nothing above it knows which one it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

Row: TypeAlias = dict[str, str]

MAX_REPLY_OCTETS: Final = 32 << 20  # of one command; 50,000 sessions are about 10 MiB
BIG_REPLY_OCTETS: Final = 128 << 10  # above this a reply is turned into rows in a thread, away from the event loop

SECRET_ARGUMENTS: Final = frozenset(
    {"secret", "password", "passphrase", "private-key", "source", "on-event", "contents"}
)


@dataclass(frozen=True, slots=True)
class Read:
    """Read rows of ``menu`` (``/ppp/active``): only ``fields``, and of the rows only those equal in ``where``.

    A field that this router does not have is absent from the row. ``single`` is a menu that is one entry.
    """

    menu: str
    fields: tuple[str, ...]
    single: bool = False
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """Run ``verb`` (``add``, ``set``, ``remove``, ``monitor`` ...) in ``menu``. Arguments may hold secrets."""

    menu: str
    verb: str
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no error may repeat."""
        return tuple(value for name, value in self.arguments.items() if name in SECRET_ARGUMENTS and value)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we reached: the address, and what proves the router the next time (``None`` where nothing does).

    ``proof`` is a certificate's SHA-256 in hex, or an SSH host key as ``"ssh-ed25519 SHA256:..."``.
    """

    address: str
    proof: str | None = None
    anonymous_tls: bool = False


class Transport(Protocol):
    """One logged-in connection. Errors are `MikroTikError`; after one that is not of
    `errors.REFUSALS` it must be closed.
    """

    @property
    def peer(self) -> Peer: ...

    @property
    def alive(self) -> bool:
        """Whether the router has not hung up, as far as is known without asking it."""

    async def read(self, what: Read) -> list[Row]: ...

    async def run(self, command: Command) -> list[Row]:
        """Run a command; rows are what it answers (``add``: one row with ``ret``, the new entry's id)."""

    async def console(self, script: str) -> str | None:
        """Run a line of console and return what it prints; ``None`` where this way in has no console."""

    async def close(self) -> None:
        """Close at once; a router that does not answer cannot hold it up."""
