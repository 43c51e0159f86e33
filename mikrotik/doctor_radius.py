"""The doctor's checks of the one ``/radius`` entry that is about us. Without one, only its absence is told."""

import hmac
from collections.abc import Iterator
from typing import Final

from mikrotik.findings import Case, Finding, failed, passed, unknown
from mikrotik.intent import REQUIRE, RadiusIntent
from mikrotik.menus import COMMENT
from mikrotik.records import RadiusServerEntry, RadiusSettings
from mikrotik.values import build_duration, build_list, parse_address, quote
from mikrotik.versions import Version

MIN_TIMEOUT_MS: Final = 1000
_REQUIRES_SINCE: Final = Version(7, 15)


def find_entry(radius: RadiusSettings | None, wanted: RadiusIntent) -> RadiusServerEntry | None:
    """Return the router's ``/radius`` entry that is about us: ours by its comment, else by address."""
    servers = radius.servers if radius is not None else ()
    named = [server for server in servers if parse_address(server.address or "") == wanted.server]
    return next((one for one in named if one.comment == COMMENT), named[0] if named else None)


def _set_entry(case: Case, values: str) -> str:
    return f"/radius set [find address={case.wanted.server}] {values}"


def check_entry(case: Case) -> Iterator[Finding]:
    wanted = case.wanted
    if case.radius is None:
        yield unknown("radius_entry", "The RADIUS settings could not be read: the user needs the policy read.")
    elif case.entry is None:
        source = "" if wanted.source is None else f" src-address={wanted.source}"
        yield failed(
            "radius_entry",
            f"The router does not ask this server ({wanted.server}).",
            f"/radius add service={build_list(wanted.services)} address={wanted.server} secret={quote(wanted.secret)}"
            f" authentication-port={wanted.auth_port} accounting-port={wanted.acct_port}"
            f" timeout={build_duration(wanted.timeout)}{source} comment={COMMENT}",
        )
    elif case.entry.disabled:
        yield failed("radius_entry", "The entry for this server is disabled.", _set_entry(case, "disabled=no"))
    else:
        yield passed("radius_entry", "The router asks this server.")


def check_services(case: Case) -> Iterator[Finding]:
    if case.entry is None:
        return
    missing = [service for service in case.wanted.services if service not in case.entry.services]
    if missing:
        services = build_list(tuple(dict.fromkeys((*case.entry.services, *case.wanted.services))))
        yield failed(
            "radius_services",
            f"This server is not asked for {' and '.join(missing)}.",
            _set_entry(case, f"service={services}"),
        )
    else:
        yield passed("radius_services", f"This server is asked for {' and '.join(case.wanted.services)}.")


def check_ports(case: Case) -> Iterator[Finding]:
    if case.entry is None:
        return
    wanted = (case.wanted.auth_port, case.wanted.acct_port)
    if (case.entry.authentication_port, case.entry.accounting_port) == wanted:
        yield passed("radius_ports", f"The ports are {wanted[0]} and {wanted[1]}.")
    else:
        yield failed(
            "radius_ports",
            f"The router asks on other ports than {wanted[0]} and {wanted[1]}.",
            _set_entry(case, f"authentication-port={wanted[0]} accounting-port={wanted[1]}"),
        )


def check_secret(case: Case) -> Iterator[Finding]:
    if case.entry is None:
        return
    if case.entry.secret is None:
        if case.seen.signed:
            yield passed("radius_secret", "A signature made with the secret was valid.")
        else:
            yield unknown(
                "radius_secret", "The secret is not shown: the user needs the policy sensitive; or wait for a login."
            )
    elif hmac.compare_digest(case.entry.secret.encode(), case.wanted.secret.encode()):
        yield passed("radius_secret", "The secret is the same on both sides.")
    else:
        yield failed(
            "radius_secret",
            "The secret differs: logins look accepted here and are dropped by the router.",
            _set_entry(case, f"secret={quote(case.wanted.secret)}"),
        )


def check_timeout(case: Case) -> Iterator[Finding]:
    if case.entry is None:
        return
    timeout = case.entry.timeout_ms
    if timeout is None:
        yield unknown("radius_timeout", "The entry's timeout could not be read.")
    elif timeout < MIN_TIMEOUT_MS:
        yield failed(
            "radius_timeout",
            f"The router waits {timeout} ms only, too short for a server that is not in the same building.",
            _set_entry(case, f"timeout={build_duration(case.wanted.timeout)}"),
        )
    else:
        yield passed("radius_timeout", f"The router waits {timeout} ms.")


def check_source(case: Case) -> Iterator[Finding]:
    if case.entry is None:
        return
    source = parse_address(case.entry.src_address or "0.0.0.0")
    wanted = case.wanted.source
    fixed = source is not None and not source.is_unspecified
    if wanted is None or source == wanted:
        yield passed("radius_source", f"The router sends from {source if fixed else 'its outgoing interface'}.")
    else:
        yield failed(
            "radius_source",
            f"The router does not send from {wanted}, the address it is known by here.",
            _set_entry(case, f"src-address={wanted}"),
        )


def check_message_authenticator(case: Case) -> Iterator[Finding]:
    if case.entry is None:
        return
    value = case.entry.require_message_auth
    if value is None:
        older = case.facts.version is not None and case.facts.version < _REQUIRES_SINCE
        yield unknown(
            "require_message_auth",
            f"RouterOS {case.facts.version} has no such setting; 7.15 and later do."
            if older
            else "The setting could not be read.",
        )
    elif value == "no":
        yield failed(
            "require_message_auth",
            "The router takes replies without a Message-Authenticator, which can be forged (CVE-2024-3596).",
            _set_entry(case, f"require-message-auth={REQUIRE}"),
        )
    else:
        yield passed("require_message_auth", "The router takes signed replies only.")
