"""How to reach one router: an immutable record, checked when it is made; its secrets show in no repr."""

import codecs
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mikrotik.addresses import AddressGuard

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_HOST: Final = re.compile(r"[^\s/@\x00-\x1f]{1,255}")


class ConnectionType(StrEnum):
    """The four ways in. The values are those of the REST field ``connection_type``."""

    API = "api"
    SSH = "ssh"
    API_SSL = "api-ssl"
    REST = "rest"


DEFAULT_PORTS: Final = {
    ConnectionType.API: 8728,
    ConnectionType.SSH: 22,
    ConnectionType.API_SSL: 8729,
    ConnectionType.REST: 443,
}


@dataclass(frozen=True, slots=True)
class MikroTikConnectionConfig:
    """One router's address and login.

    ``port`` is the service's usual one if not given. ``timeout`` is in seconds and is for a whole call, login included.
    ``api_key`` is kept for the caller: RouterOS itself has none and no login uses it.

    TLS (API over TLS, REST): ``tls_fingerprint`` is the SHA-256 of the router's certificate in hex; without it the
    certificate of the first connection is accepted and shown (`AsyncMikroTikClient.peer`), to be pinned from then on.
    ``allow_anonymous_tls`` accepts a router without a certificate: that hides traffic from who only listens, and
    proves nothing. ``https=False`` is REST in clear, for the ``www`` service inside a tunnel.

    SSH: ``ssh_host_key`` is ``"<algorithm> SHA256:<base64>"`` as `peer` shows it; without it the first one is accepted.
    ``ssh_legacy`` allows key exchanges with SHA-1 and CBC ciphers that routers before 6.45 may need.

    ``encoding`` is that of names and comments on the router. ``guard`` decides which addresses may be connected to;
    ``None`` allows every address, for programs whose author wrote the address himself.
    Raises ValueError, which never holds a secret.
    """

    host: str
    port: int | None = None
    username: str = "admin"
    password: str = field(default="", repr=False)
    api_key: str | None = field(default=None, repr=False)
    connection_type: ConnectionType = ConnectionType.API
    timeout: float = 10.0
    encoding: str = "utf-8"
    tls_fingerprint: str | None = None
    allow_anonymous_tls: bool = False
    https: bool = True
    ssh_host_key: str | None = None
    ssh_legacy: bool = False
    guard: AddressGuard | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "connection_type", ConnectionType(self.connection_type))
        if not _HOST.fullmatch(self.host):
            raise ValueError("host is neither an address nor a name")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError("port is not between 1 and 65535")
        if not 0 < self.timeout <= 3600:
            raise ValueError("timeout is not between 0 and 3600 seconds")
        if not self.username or not self.username.isprintable():
            raise ValueError("username is empty or not printable")
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise ValueError("encoding is not one that is known") from error
        if self.tls_fingerprint is not None:
            digits = self.tls_fingerprint.replace(":", "").lower()
            if not _FINGERPRINT.fullmatch(digits):
                raise ValueError("tls_fingerprint is not a SHA-256 in hex")
            object.__setattr__(self, "tls_fingerprint", digits)

    @property
    def service_port(self) -> int:
        """The port that is connected to."""
        if self.port is not None:
            return self.port
        if self.connection_type is ConnectionType.REST and not self.https:
            return 80
        return DEFAULT_PORTS[self.connection_type]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(secret for secret in (self.password, self.api_key) if secret)
