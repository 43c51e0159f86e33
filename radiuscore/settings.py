"""Every setting of ``radiuscore``, read once, from the environment, a ``.env`` file, or a file named by ``NAME_FILE``.

A bad value is one `SettingsError`: one sentence with the variable, the value's fault and an example, and never a
secret value. Nothing here connects, creates or looks at anything but those files; only the standard library is used.
"""

import base64
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

from radiuscore.environment import Given, SettingsError, collect, shown

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MIN_JWT_KEY_OCTETS: Final = 32  # HS256 wants a key at least as long as its hash (RFC 7518 §3.2)
MIN_KEY_VARIETY: Final = 8  # different octets; 32 random hex digits have about 14, 32 random octets about 30
ENCRYPTION_KEY_OCTETS: Final = 32  # AES-256
MAX_WORKERS: Final = 256

_MAKE_KEY: Final = "k1:$(openssl rand -base64 32)"
_PLACEHOLDER: Final = re.compile(
    r"<.*>|(your|insert)[_ -].*|(change|replace)[_ -]?(me|this).*|(placeholder|example).*", re.I
)

__all__ = [
    "NAMES",
    "Address",
    "LogFormat",
    "LogLevel",
    "Network",
    "RequestRate",
    "Settings",
    "SettingsError",
    "default_data_dir",
]


class LogLevel(StrEnum):
    """The least serious log line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """``CONSOLE`` is text for a person, ``JSON`` one object per line."""

    CONSOLE = "console"
    JSON = "json"


class RequestRate(NamedTuple):
    """At most ``requests`` in every ``seconds``."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, checked. ``given`` are the names that somebody set; the rest are defaults.

    ``database_url`` is ``None`` for the embedded PostgreSQL under ``data_dir``, and then both keys may be ``None``:
    they are made there. ``outbound_allow`` is ``None`` for every private or public unicast address.
    ``log_format`` is ``None`` for text on a terminal and JSON otherwise. ``mikrotik_timeout`` is in seconds.
    """

    database_url: str | None = field(repr=False)
    accounting_database_url: str | None = field(repr=False)
    data_dir: Path
    jwt_secret_key: str | None = field(repr=False)
    encryption_keys: str | None = field(repr=False)
    radius_hosts: tuple[Address, ...]
    radius_auth_port: int
    radius_acct_port: int
    radius_workers: int
    api_host: Address
    api_port: int
    api_rate_limit: RequestRate
    mikrotik_api_port: int
    mikrotik_ssh_port: int
    mikrotik_timeout: float
    outbound_allow: tuple[Network, ...] | None
    log_level: LogLevel
    log_format: LogFormat | None
    given: frozenset[str]

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")) -> "Settings":
        """Read every setting; a value in ``environ`` (the process's own by default) wins over one in ``env_file``.

        Raises `SettingsError` for the first value that cannot be used, and nothing else.
        """
        given = collect(NAMES, _SECRET_NAMES, os.environ if environ is None else environ, env_file)
        read = _Reader(given).read
        database_url = read("DATABASE_URL", _database_url, None, "postgresql://radiuscore:PASSWORD@db.example/radius")
        settings = cls(
            database_url=database_url,
            accounting_database_url=read(
                "ACCOUNTING_DATABASE_URL",
                _database_url,
                database_url,
                "postgresql://radiuscore:PASSWORD@db2/accounting",
            ),
            data_dir=read("DATA_DIR", _directory, default_data_dir(), "/var/lib/radiuscore"),
            jwt_secret_key=read("JWT_SECRET_KEY", _jwt_secret_key, None, "$(openssl rand -base64 48)"),
            encryption_keys=read("ENCRYPTION_KEYS", _encryption_keys, None, _MAKE_KEY),
            radius_hosts=read("RADIUS_HOST", _addresses, (IPv4Address(0), IPv6Address(0)), "0.0.0.0,::"),
            radius_auth_port=read("RADIUS_AUTH_PORT", _port, 1812, "1812"),
            radius_acct_port=read("RADIUS_ACCT_PORT", _port, 1813, "1813"),
            radius_workers=read("RADIUS_WORKERS", _worker_count, min(_cores(), 4), "4"),
            api_host=read("API_HOST", _address, ip_address("127.0.0.1"), "127.0.0.1"),
            api_port=read("API_PORT", _port, 8080, "8080"),
            api_rate_limit=read("API_RATE_LIMIT", _request_rate, RequestRate(600, 60), "600/minute"),
            mikrotik_api_port=read("MIKROTIK_API_PORT", _port, 8728, "8728"),
            mikrotik_ssh_port=read("MIKROTIK_SSH_PORT", _port, 22, "22"),
            mikrotik_timeout=read("MIKROTIK_TIMEOUT", _timeout, 10.0, "10"),
            outbound_allow=read("OUTBOUND_ALLOW", _networks, None, "10.0.0.0/8,203.0.113.0/24"),
            log_level=read("LOG_LEVEL", _one_of(LogLevel), LogLevel.INFO, "info"),
            log_format=read("LOG_FORMAT", _one_of(LogFormat), None, "json"),
            given=frozenset(given),
        )
        _check_together(settings)
        return settings

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded PostgreSQL under ``data_dir``."""
        return self.database_url is None


def default_data_dir() -> Path:
    """Return where this user's database, spool and keys are kept unless DATA_DIR says otherwise."""
    return Path("/var/lib/radiuscore") if os.geteuid() == 0 else Path.home() / ".local/share/radiuscore"


NAMES: Final = (
    "DATABASE_URL",
    "ACCOUNTING_DATABASE_URL",
    "DATA_DIR",
    "JWT_SECRET_KEY",
    "ENCRYPTION_KEYS",
    "RADIUS_HOST",
    "RADIUS_AUTH_PORT",
    "RADIUS_ACCT_PORT",
    "RADIUS_WORKERS",
    "API_HOST",
    "API_PORT",
    "API_RATE_LIMIT",
    "MIKROTIK_API_PORT",
    "MIKROTIK_SSH_PORT",
    "MIKROTIK_TIMEOUT",
    "OUTBOUND_ALLOW",
    "LOG_LEVEL",
    "LOG_FORMAT",
)
_SECRET_NAMES: Final = frozenset({"DATABASE_URL", "ACCOUNTING_DATABASE_URL", "JWT_SECRET_KEY", "ENCRYPTION_KEYS"})


def _check_together(settings: Settings) -> None:
    """Refuse what each value allows and all together do not."""
    if settings.radius_auth_port == settings.radius_acct_port:
        raise SettingsError(
            f"RADIUS_ACCT_PORT is {settings.radius_acct_port}, which is RADIUS_AUTH_PORT as well; "
            "give them different ports, for example 1812 and 1813."
        )
    if settings.database_url is None:
        if settings.accounting_database_url is not None:
            raise SettingsError(
                "ACCOUNTING_DATABASE_URL is set, but DATABASE_URL is not; "
                "set both, for example DATABASE_URL=postgresql://radiuscore:PASSWORD@db.example/radius."
            )
        return
    if settings.encryption_keys is None:
        raise SettingsError(
            "ENCRYPTION_KEYS is not set, and with DATABASE_URL it must be; make it once, keep it safe and give every "
            f"node the same, for example ENCRYPTION_KEYS={_MAKE_KEY}."
        )
    if settings.jwt_secret_key is None:
        raise SettingsError(
            "JWT_SECRET_KEY is not set, and with DATABASE_URL it must be; "
            "for example JWT_SECRET_KEY=$(openssl rand -base64 48)."
        )


class _Reader:
    def __init__(self, given: Mapping[str, Given]) -> None:
        self._given = given

    def read(self, name: str, parse: Callable[[str], T], default: T, example: str) -> T:
        """Return the parsed value; ``parse`` raises ValueError with the fault, written to follow "which"."""
        given = self._given.get(name)
        if given is None:
            return default
        mend = f"set it for example to {name}={example}"
        if not given.text.strip():
            raise SettingsError(f"{name}{given.origin} is empty; {mend}, or leave it out for the default.")
        try:
            return parse(given.text.strip())
        except ValueError as error:
            value = "has a value" if name in _SECRET_NAMES else f"is {shown(given.text)},"
            raise SettingsError(f"{name}{given.origin} {value} which {error}; {mend}.") from None


def _database_url(text: str) -> str:
    # Not urllib: its complaints quote the URL, and with it the password.
    url = re.match(r"postgres(?:ql)?://([^/?]*)", text)
    if url is None:
        raise ValueError("does not begin with postgresql://")
    if "#" in text:
        raise ValueError("holds a '#', which is written %23 in a URL")
    if re.search(r"\s", text):
        raise ValueError("holds a space, which is written %20 in a URL")
    for host in url[1].rpartition("@")[2].split(","):
        port = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::(.*))?", host)
        if port is None or (port[1] is not None and not _is_port(port[1])):
            raise ValueError("has a host or port that is not one (a ':', '/' or '@' in a password is %3A, %2F, %40)")
    return text


def _directory(text: str) -> Path:
    if "\0" in text:
        raise ValueError("holds a NUL")
    return Path(os.path.abspath(os.path.expanduser(text)))


def _jwt_secret_key(text: str) -> str:
    if _PLACEHOLDER.fullmatch(text):
        raise ValueError("is a placeholder")
    octets = text.encode()
    if len(octets) < MIN_JWT_KEY_OCTETS:
        raise ValueError(f"is {len(octets)} octets long, less than {MIN_JWT_KEY_OCTETS}")
    if len(set(octets)) < MIN_KEY_VARIETY:
        raise ValueError("repeats a few characters")
    return text


def _encryption_keys(text: str) -> str:
    entries = [entry.strip() for entry in text.split(",")]
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):  # by number, because a malformed entry may hold a key anywhere
        match = re.fullmatch(r"([A-Za-z0-9_-]{1,32}):(.*)", entry)
        if match is None:
            raise ValueError(f"has an entry (number {number}) that is not id:base64")
        if match[1] in seen:
            raise ValueError(f"has the same key id twice (entry {number})")
        seen.add(match[1])
        try:
            key = base64.b64decode(match[2], validate=True)
        except ValueError:
            raise ValueError(f"has a key (entry {number}) that is not base64") from None
        if len(key) != ENCRYPTION_KEY_OCTETS:
            raise ValueError(f"has a key (entry {number}) of {len(key)} octets instead of {ENCRYPTION_KEY_OCTETS}")
        if len(set(key)) < MIN_KEY_VARIETY:
            raise ValueError(f"has a key (entry {number}) that is a placeholder")
    return ",".join(entries)


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise ValueError("is not an IPv4 or IPv6 address") from None


def _addresses(text: str) -> tuple[Address, ...]:
    addresses = tuple(_address(part.strip()) for part in text.split(","))
    if len(set(addresses)) < len(addresses):
        raise ValueError("names an address twice")
    return addresses


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise ValueError("is not a list of networks such as 10.0.0.0/8 (no host bits set)") from None


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535


def _port(text: str) -> int:
    if not _is_port(text):
        raise ValueError("is not a port from 1 to 65535")
    return int(text)


def _worker_count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_WORKERS:
        raise ValueError(f"is not a number from 1 to {MAX_WORKERS}")
    return int(text)


def _timeout(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not 0.1 <= float(text) <= 300:
        raise ValueError("is not a number of seconds from 0.1 to 300")
    return float(text)


_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}


def _request_rate(text: str) -> RequestRate:
    match = re.fullmatch(r"([0-9]{1,9})\s*/\s*(second|minute|hour)", text)
    if match is None or int(match[1]) == 0:
        raise ValueError("is not a number of requests per second, minute or hour")
    return RequestRate(int(match[1]), _SECONDS[match[2]])


def _one_of(choices: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> E:
        try:
            return choices(text.lower())
        except ValueError:
            raise ValueError(f"is not one of {', '.join(choices)}") from None

    return parse


def _cores() -> int:
    """Return how many processors this process may use; a container's share, not the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
