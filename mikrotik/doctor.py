"""What is wrong with how a router uses our RADIUS server, and the exact command that mends each. Pure functions.

Every check gives one `Finding`: pass, fail with the command, or unknown with what is missing to tell. The order is that
in which an operator would look: is it us the router asks, may it, does it hear us, do we hear it.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from mikrotik import doctor_radius
from mikrotik.facts import RouterFacts
from mikrotik.findings import Case, CoaOutcome, Finding, Seen, failed, passed, unknown
from mikrotik.firewall import Packet, blocking_rule
from mikrotik.intent import RadiusIntent
from mikrotik.menus import COMMENT
from mikrotik.records import HotspotProfile
from mikrotik.values import build_duration, parse_bool
from mikrotik.versions import Version

MIN_INTERIM_S: Final = 60
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
MAX_TIMEOUT_SHARE: Final = 0.05

# The versions that mended each, one per branch; from MikroTik's advisories and the NVD.
VULNERABLE: Final = {
    "CVE-2018-14847 (anybody reads the users' passwords over WinBox)": (Version(6, 40, 8), Version(6, 42, 1)),
    "CVE-2023-30799 (an admin becomes root)": (Version(6, 48, 7), Version(6, 49, 7)),
    "CVE-2023-32154 (IPv6 router advertisements run code)": (Version(6, 48, 7), Version(6, 49, 8), Version(7, 9, 1)),
}


def examine(facts: RouterFacts, wanted: RadiusIntent, seen: Seen | None = None) -> tuple[Finding, ...]:
    """Return the findings of every check, in the order of `CHECKS`."""
    case = Case(facts, wanted, seen or Seen(), facts.radius, doctor_radius.find_entry(facts.radius, wanted))
    return tuple(finding for check in CHECKS for finding in check(case))


def _check_incoming(case: Case) -> Iterator[Finding]:
    if case.radius is None:
        return
    command = f"/radius incoming set accept=yes port={case.wanted.coa_port}"
    if case.radius.incoming_accept is None:
        yield unknown("incoming", "Whether the router takes CoA and Disconnect could not be read.")
    elif not case.radius.incoming_accept:
        yield failed("incoming", "The router takes no CoA and no Disconnect.", command)
    elif case.radius.incoming_port != case.wanted.coa_port:
        yield failed(
            "incoming",
            f"The router listens for CoA on port {case.radius.incoming_port}, not {case.wanted.coa_port}.",
            command,
        )
    else:
        yield passed("incoming", f"The router takes CoA and Disconnect on port {case.wanted.coa_port}.")


def _check_coa(case: Case) -> Iterator[Finding]:
    match case.seen.coa:
        case None:
            yield unknown("coa_answered", "No CoA was tried.")
        case CoaOutcome.SILENCE:
            yield failed(
                "coa_answered",
                "The router did not answer a CoA: port, secret, firewall or NAT, or this server's address is not the "
                "one in its /radius list.",
            )
        case _:
            yield passed("coa_answered", "The router answers CoA.")


def _check_ppp(case: Case) -> Iterator[Finding]:
    if case.radius is None or "ppp" not in case.wanted.services:
        return
    if case.radius.ppp_use_radius is None:
        yield unknown("ppp_aaa", "/ppp aaa could not be read.")
    elif case.radius.ppp_use_radius and case.radius.ppp_accounting:
        yield passed("ppp_aaa", "PPP asks RADIUS and reports usage.")
    else:
        yield failed(
            "ppp_aaa", "PPP does not ask RADIUS or reports no usage.", "/ppp aaa set use-radius=yes accounting=yes"
        )


def _check_interim(case: Case) -> Iterator[Finding]:
    if case.radius is None or case.radius.ppp_interim_update_s is None:
        return
    interval = case.radius.ppp_interim_update_s
    wanted = build_duration(case.wanted.interim_update)
    if 0 < interval < MIN_INTERIM_S:
        yield failed(
            "interim_update",
            f"Usage is reported every {interval} s, which loads router and server.",
            f"/ppp aaa set interim-update={wanted}",
        )
    else:
        every = f"every {interval} s" if interval else "as an Accept says"
        yield passed("interim_update", f"Usage is reported {every}.")


def _check_hotspot(case: Case) -> Iterator[Finding]:
    if case.radius is None or "hotspot" not in case.wanted.services:
        return
    wrong = [profile for profile in case.radius.hotspot_profiles if not _is_right(profile)]
    if not case.radius.hotspot_profiles:
        yield unknown("hotspot_profiles", "The router has no hotspot profile, or it could not be read.")
    elif wrong:
        names = ", ".join(profile.name for profile in wrong)
        yield failed(
            "hotspot_profiles",
            f"These hotspot profiles do not ask RADIUS, report no usage or do not heed its interval: {names}.",
            "/ip hotspot profile set [find] use-radius=yes radius-accounting=yes radius-interim-update=received",
        )
    else:
        yield passed("hotspot_profiles", "Every hotspot profile asks RADIUS and reports usage.")


def _is_right(profile: HotspotProfile) -> bool:
    return bool(profile.use_radius and profile.radius_accounting and profile.radius_interim_update == "received")


def _check_clock(case: Case) -> Iterator[Finding]:
    ntp = case.facts.ntp
    if case.facts.clock is None:
        yield unknown("clock", "The router's clock could not be read.")
    elif abs(case.facts.clock - case.facts.read_at) > CLOCK_TOLERANCE:
        off = round((case.facts.clock - case.facts.read_at).total_seconds())
        yield failed("clock", f"The router's clock is {off:+d} s off.", _ntp_command(case))
    else:
        yield passed("clock", "The router's clock is right.")
    if ntp is None:
        yield unknown("ntp", "The router's NTP client could not be read.")
    elif parse_bool(ntp.get("enabled", "")):
        yield passed("ntp", "The router sets its clock by NTP.")
    else:
        yield failed("ntp", "After a power cut the router's clock is wrong: NTP is off.", _ntp_command(case))


def _ntp_command(case: Case) -> str:
    servers = "server-dns-names" if case.facts.version is not None and case.facts.version.major < 7 else "servers"
    return f"/system ntp client set enabled=yes {servers}=pool.ntp.org"


def _check_fasttrack(case: Case) -> Iterator[Finding]:
    if case.facts.firewall is None:
        yield unknown("fasttrack", "The firewall could not be read.")
        return
    tracked = [
        rule
        for rule in case.facts.firewall
        if rule.get("action") == "fasttrack-connection" and not parse_bool(rule.get("disabled", ""))
    ]
    if tracked and (case.facts.has_queues or case.facts.has_hotspot):
        yield failed(
            "fasttrack",
            "FastTrack passes queues and hotspot by: rate limits and hotspot usage do not count.",
            "/ip firewall filter disable [find action=fasttrack-connection]",
        )
    else:
        yield passed("fasttrack", "FastTrack does not pass the customers' queues by.")


def _check_firewall(case: Case) -> Iterator[Finding]:
    wanted, rules = case.wanted, case.facts.firewall
    if rules is None:
        return
    ways = (
        (
            "firewall_requests",
            "requests",
            Packet("output", wanted.source, wanted.server, None, wanted.auth_port, "new"),
        ),
        ("firewall_coa", "CoA", Packet("input", wanted.server, wanted.source, None, wanted.coa_port, "new")),
    )
    for check, what, packet in ways:
        rule = blocking_rule(rules, packet)
        if rule is None:
            yield unknown(check, f"Whether the firewall lets {what} pass depends on matchers that are not followed.")
        elif rule is False:
            yield passed(check, f"The firewall lets {what} pass.")
        else:
            side = "dst-address" if packet.chain == "output" else "src-address"
            yield failed(
                check,
                f"A firewall rule drops {what}: {rule}.".replace("'", ""),
                f"/ip firewall filter add chain={packet.chain} action=accept protocol=udp {side}={wanted.server}"
                f" dst-port={packet.destination_port} comment={COMMENT}"
                f" place-before=([/ip firewall filter find chain={packet.chain}]->0)",
            )


def _check_replies(case: Case) -> Iterator[Finding]:
    counters = case.facts.counters.get(case.entry.id) if case.entry is not None else None
    if counters is None or counters.bad_replies is None:
        yield unknown("bad_replies", "The router's RADIUS counters could not be read.")
        return
    if counters.bad_replies:
        yield failed(
            "bad_replies",
            f"The router dropped {counters.bad_replies} replies since it started: another secret, or no signature.",
        )
    else:
        yield passed("bad_replies", "The router took every reply.")
    if counters.requests and counters.timeouts is not None:
        share = counters.timeouts / counters.requests
        if share > MAX_TIMEOUT_SHARE:
            yield failed("replies_arrive", f"{share:.0%} of the router's requests were not answered in time.")
        else:
            yield passed("replies_arrive", "The router's requests are answered.")


def _check_version(case: Case) -> Iterator[Finding]:
    version = case.facts.version
    if version is None:
        yield unknown("version", "The version could not be read.")
        return
    holes = [name for name, mended in VULNERABLE.items() if _is_open(version, mended)]
    if holes:
        yield failed(
            "version",
            f"RouterOS {version} is known to be vulnerable: {'; '.join(holes)}. The update reboots the router.",
            "/system package update install",
        )
    else:
        yield passed("version", f"RouterOS {version} has none of the holes that are looked for.")


def _is_open(version: Version, mended: tuple[Version, ...]) -> bool:
    """Older than the last mended version, and not on a branch (6.40.x) that was mended by itself."""
    same_branch = [one for one in mended if one[:2] == version[:2]]
    if same_branch:
        return version < min(same_branch)
    same_major = [one for one in mended if one.major == version.major]
    return bool(same_major) and version < max(same_major)


CHECKS: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (
    doctor_radius.check_entry,
    doctor_radius.check_services,
    doctor_radius.check_ports,
    doctor_radius.check_secret,
    doctor_radius.check_timeout,
    doctor_radius.check_source,
    doctor_radius.check_message_authenticator,
    _check_incoming,
    _check_coa,
    _check_ppp,
    _check_interim,
    _check_hotspot,
    _check_clock,
    _check_fasttrack,
    _check_firewall,
    _check_replies,
    _check_version,
)
