"""From what went wrong below to one of our errors, with the cure for this way in. Pure; keeps secrets out."""

import re
import ssl
from collections.abc import Sequence
from typing import Final

from mikrotik.config import ConnectionType, MikroTikConnectionConfig
from mikrotik.errors import (
    CommandRefused,
    ConnectionRefused,
    LoginRefused,
    MenuUnsupported,
    MikroTikError,
    PermissionMissing,
    ProtocolFailed,
    TimedOut,
    TlsFailed,
    Unreachable,
)

_SERVICES: Final = {
    ConnectionType.API: "api",
    ConnectionType.API_SSL: "api-ssl",
    ConnectionType.SSH: "ssh",
    ConnectionType.REST: "www-ssl",
}
_POLICIES: Final = {
    ConnectionType.API: "api",
    ConnectionType.API_SSL: "api",
    ConnectionType.SSH: "ssh",
    ConnectionType.REST: "rest-api",
}
MAX_SHOWN: Final = 200  # characters of a router's own words

# Texts of `!trap`, of REST's `detail` and of the console, in the order they are tried.
_REFUSED_LOGIN: Final = re.compile(r"invalid user name or password|cannot log ?in|login failure", re.I)
_NO_PERMISSION: Final = re.compile(r"not enough permissions|no permission|permission denied|not permitted", re.I)
_NO_MENU: Final = re.compile(
    r"no such command|bad command name|unknown parameter|bad parameter|expected command name|"
    r"input does not match any value of value-name",
    re.I,
)


def service_of(config: MikroTikConnectionConfig) -> str:
    """Return the name of the router's ``/ip service`` that is asked."""
    if config.connection_type is ConnectionType.REST and not config.https:
        return "www"
    return _SERVICES[config.connection_type]


def shown(text: str, secrets: Sequence[str] = ()) -> str:
    """Return a router's own words fit for one line of a log: short, printable, without any of ``secrets``."""
    for secret in secrets:
        text = text.replace(secret, "***")
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def timed_out(config: MikroTikConnectionConfig, step: str) -> TimedOut:
    """Return the error of a call that took too long; ``step`` is what was under way."""
    return TimedOut(
        f"{_name(config)} did not answer within {config.timeout:g} s while {step}.",
        f"Check address and port and the router's firewall (input chain, TCP {config.service_port}); "
        "a slow link or a busy router may need a longer MIKROTIK_TIMEOUT.",
    )


def refused(config: MikroTikConnectionConfig) -> ConnectionRefused:
    """Return the error of a service that is not there for us."""
    service = service_of(config)
    return ConnectionRefused(
        f"{_name(config)} refuses connections.",
        f"On the router: /ip service set {service} disabled=no port={config.service_port} "
        f"- and its address= must include this server, or be empty.",
    )


def login_refused(config: MikroTikConnectionConfig) -> LoginRefused:
    """Return the error of a login that the router did not accept."""
    return LoginRefused(
        f"{_name(config)} refused the login of user {shown(config.username)}.",
        f"Check name and password. On the router: /user print where name={shown(config.username)} - its group needs "
        f"read,{_POLICIES[config.connection_type]}, and its address= must include this server or be empty.",
    )


def tls_failed(config: MikroTikConnectionConfig, why: str) -> TlsFailed:
    """Return the error of a TLS connection that did not come about."""
    service = service_of(config)
    return TlsFailed(
        f"{_name(config)} offers no TLS that may be used: {why}.",
        f"On the router: /ip service set {service} certificate=NAME - and its address= must include this server, or be "
        "empty. Without a certificate the API offers anonymous TLS only, which must be allowed for the device.",
    )


def fingerprint_changed(config: MikroTikConnectionConfig, got: str) -> TlsFailed:
    """Return the error of a certificate that is not the pinned one."""
    return TlsFailed(
        f"{_name(config)} shows another certificate than the pinned one (SHA-256 {got}).",
        "If the router was reset or its certificate renewed, compare the fingerprint on the router "
        "(/certificate print detail) and pin the new one. Otherwise somebody is in between: do not log in.",
    )


def broken(config: MikroTikConnectionConfig, why: str) -> ProtocolFailed:
    """Return the error of an answer that cannot be used."""
    return ProtocolFailed(
        f"{_name(config)} gave an answer that cannot be used: {why}.",
        f"Check that TCP {config.service_port} is the router's {service_of(config)} service; "
        "if it happens again, look at the router's log.",
    )


def connect_fault(error: OSError, config: MikroTikConnectionConfig) -> MikroTikError:
    """Return our error for one of opening a connection."""
    if isinstance(error, ssl.SSLError):
        return tls_failed(config, shown(error.reason or "handshake failed").lower().replace("_", " "))
    if isinstance(error, TimeoutError):
        return timed_out(config, "connecting")
    if isinstance(error, ConnectionError):
        secured = config.connection_type in (ConnectionType.API_SSL, ConnectionType.REST) and config.https
        if secured and not isinstance(error, ConnectionRefusedError):
            return tls_failed(config, "it closed the connection during the handshake")
        return refused(config)
    return Unreachable(
        f"{_name(config)} cannot be reached.",
        "Check that the router is on, its address, and the route or tunnel to it.",
    )


def refusal(message: str, config: MikroTikConnectionConfig, subject: str, secrets: Sequence[str] = ()) -> MikroTikError:
    """Return our error for a router's refusal; ``subject`` is the menu, ``message`` the router's own words."""
    said = shown(message, (*config.secrets, *secrets))
    if _REFUSED_LOGIN.search(message):
        return login_refused(config)
    if _NO_PERMISSION.search(message):
        return PermissionMissing(
            f"User {shown(config.username)} may not use {subject} on {config.host}: {said}.",
            "Give the user's group the missing policy. On the router: /user group print; reading needs "
            f"read,{_POLICIES[config.connection_type]}, changes need write, secrets sensitive, health reboot on some "
            "versions, export and backups ftp.",
        )
    if _NO_MENU.search(message):
        return MenuUnsupported(
            f"{config.host} does not know {subject}: {said}.",
            "Its RouterOS version or board lacks this, or a package is not installed: /system package print.",
        )
    return CommandRefused(
        f"{config.host} refused a command in {subject}: {said}.", "The router's own words say why; check the value."
    )


def _name(config: MikroTikConnectionConfig) -> str:
    return f"{config.host} port {config.service_port} ({config.connection_type.value})"
