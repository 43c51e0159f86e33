"""The doctor: each fault is found and named, and the command it gives mends it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest

from mikrotik import ConnectionType
from mikrotik.doctor import examine
from mikrotik.facts import RouterFacts, read_facts
from mikrotik.findings import CoaOutcome, Finding, Seen, Status
from mikrotik.firewall import Packet, blocking_rule
from mikrotik.intent import RadiusIntent
from mikrotik.transport import Row
from tests.mikrotik.conftest import WAYS, Open
from tests.mikrotik.standin.console import Console
from tests.mikrotik.standin.personalities import routeros6, routeros7
from tests.mikrotik.standin.state import Router

NOW = datetime(2023, 7, 21, 8, 0, 47, tzinfo=UTC)  # what the stand-ins' clocks show
WANTED = RadiusIntent(IPv4Address("192.0.2.10"), "canary radius secret")


def healthy(version: str = "7.16.2 (stable)") -> Router:
    router = routeros7(version) if version.startswith("7") else routeros6(version)
    for profile in router.tables["/ip/hotspot/profile"]:
        profile |= {"use-radius": "true", "radius-interim-update": "received"}
    router.counters |= {"requests": "1000", "timeouts": "50", "bad-replies": "0"}
    return router


async def examined(
    open_client: Open,
    router: Router,
    *,
    way: ConnectionType = ConnectionType.API,
    wanted: RadiusIntent = WANTED,
    seen: Seen | None = None,
) -> dict[str, Finding]:
    client = await open_client(router, way)
    facts = await read_facts(client, now=NOW)
    await client.close()
    return {finding.check: finding for finding in examine(facts, wanted, seen)}


@pytest.mark.parametrize("way", WAYS)
async def test_a_healthy_router_passes(open_client: Open, way: ConnectionType) -> None:
    findings = await examined(open_client, healthy(), way=way, seen=Seen(coa=CoaOutcome.ACK))

    assert {name for name, finding in findings.items() if finding.status is not Status.PASS} == set()
    assert len(findings) == 20


def radius(**values: str) -> Callable[[Router], None]:
    return lambda router: router.tables["/radius"][0].update(values)


def single(menu: str, **values: str) -> Callable[[Router], None]:
    return lambda router: router.singles[menu].update({name.replace("_", "-"): value for name, value in values.items()})


def rule(**values: str) -> Callable[[Router], None]:
    def insert(router: Router) -> None:
        rules = router.tables["/ip/firewall/filter"]
        rules.insert(0, {".id": "*F0", **{name.replace("_", "-"): value for name, value in values.items()}})

    return insert


def no_entry(router: Router) -> None:
    router.tables["/radius"].clear()


def old_profile(router: Router) -> None:
    router.tables["/ip/hotspot/profile"][1]["radius-interim-update"] = "5m"


FAULTS = [
    ("radius_entry", no_entry),
    ("radius_entry", radius(address="198.51.100.1")),
    ("radius_entry", radius(disabled="true")),
    ("radius_services", radius(service="login")),
    ("radius_services", radius(service="ppp")),
    ("radius_ports", radius(**{"authentication-port": "1645"})),
    ("radius_ports", radius(**{"accounting-port": "1646"})),
    ("radius_secret", radius(secret="another")),
    ("radius_timeout", radius(timeout="300ms")),
    ("require_message_auth", radius(**{"require-message-auth": "no"})),
    ("incoming", single("/radius/incoming", accept="false")),
    ("incoming", single("/radius/incoming", port="1700")),
    ("ppp_aaa", single("/ppp/aaa", use_radius="false")),
    ("ppp_aaa", single("/ppp/aaa", accounting="false")),
    ("interim_update", single("/ppp/aaa", interim_update="10s")),
    ("hotspot_profiles", old_profile),
    ("ntp", single("/system/ntp/client", enabled="false")),
    ("fasttrack", rule(chain="forward", action="fasttrack-connection", connection_state="established,related")),
    ("firewall_requests", rule(chain="output", action="drop", protocol="udp", dst_port="1800-1900")),
    ("firewall_coa", rule(chain="input", action="drop")),
    ("firewall_coa", rule(chain="input", action="reject", src_address="192.0.2.0/24", protocol="udp")),
]


@pytest.mark.parametrize(("check", "break_it"), FAULTS)
@pytest.mark.parametrize("version", ["7.16.2 (stable)", "6.49.17 (long-term)"])
async def test_a_fault_is_found_and_its_command_mends_it(
    open_client: Open, check: str, break_it: Callable[[Router], None], version: str
) -> None:
    router = healthy(version)
    if check == "require_message_auth" and version.startswith("6"):
        return
    break_it(router)

    findings = await examined(open_client, router)
    assert findings[check].status is Status.FAIL
    command = findings[check].command
    assert command is not None
    assert Console(router).run(command) == ""

    mended = await examined(open_client, router)
    assert mended[check].status is Status.PASS
    assert {name for name, one in mended.items() if one.status is Status.FAIL} == set()


async def test_a_wrong_source_address_is_mended(open_client: Open) -> None:
    router = healthy()
    wanted = RadiusIntent(WANTED.server, WANTED.secret, source=IPv4Address("10.0.0.2"))

    before = await examined(open_client, router, wanted=wanted)
    assert before["radius_source"].status is Status.FAIL
    assert Console(router).run(before["radius_source"].command or "") == ""
    assert (await examined(open_client, router, wanted=wanted))["radius_source"].status is Status.PASS


async def test_a_wrong_clock(open_client: Open) -> None:
    router = healthy()
    router.singles["/system/clock"]["date"] = "1970-01-02"

    clock = (await examined(open_client, router))["clock"]
    assert clock.status is Status.FAIL
    assert clock.command == "/system ntp client set enabled=yes servers=pool.ntp.org"


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("6.40.7 (bugfix)", Status.FAIL),
        ("6.42 (stable)", Status.FAIL),
        ("6.48.6 (long-term)", Status.FAIL),
        ("6.49.7 (stable)", Status.FAIL),
        ("6.49.8 (long-term)", Status.PASS),
        ("7.9 (stable)", Status.FAIL),
        ("7.9.1 (stable)", Status.PASS),
        ("7.16.2 (stable)", Status.PASS),
    ],
)
async def test_a_vulnerable_version(open_client: Open, version: str, status: Status) -> None:
    assert (await examined(open_client, healthy(version)))["version"].status is status


async def test_replies_that_do_not_arrive_or_are_dropped(open_client: Open) -> None:
    findings = await examined(open_client, routeros7())

    assert findings["bad_replies"].status is Status.FAIL
    assert "2 replies" in findings["bad_replies"].message
    assert findings["replies_arrive"].status is Status.FAIL


async def test_silence_after_a_coa_is_a_fault_and_a_refusal_is_not(open_client: Open) -> None:
    router = healthy()
    outcomes = {
        coa: (await examined(open_client, router, seen=Seen(coa=coa)))["coa_answered"].status
        for coa in (None, *CoaOutcome)
    }
    assert outcomes == {
        None: Status.UNKNOWN,
        CoaOutcome.ACK: Status.PASS,
        CoaOutcome.NAK: Status.PASS,
        CoaOutcome.SILENCE: Status.FAIL,
    }


async def test_what_cannot_be_read_is_unknown_and_never_wrong(open_client: Open) -> None:
    router = healthy("6.48.6 (long-term)")
    for menu in ("/ip/firewall/filter", "/ppp/aaa", "/ip/hotspot/profile", "/system/ntp/client", "/system/clock"):
        router.tables.pop(menu, None)
        router.singles.pop(menu, None)
    router.policies.discard("sensitive")

    findings = await examined(open_client, router)
    for check in ("radius_secret", "require_message_auth", "hotspot_profiles", "ntp", "clock", "fasttrack", "ppp_aaa"):
        assert findings[check].status is Status.UNKNOWN, check
    signed = await examined(open_client, router, seen=Seen(signed=True))
    assert signed["radius_secret"].status is Status.PASS


def test_nothing_read_is_nothing_concluded() -> None:
    nothing = RouterFacts(NOW, None, None, None, None, None, {}, None, None, None)

    assert {finding.status for finding in examine(nothing, WANTED)} == {Status.UNKNOWN}


ACCEPT: Row = {"chain": "input", "action": "accept", "protocol": "udp", "dst-port": "3799"}
DROP: Row = {"chain": "input", "action": "drop"}
OURS = IPv4Address("192.0.2.10")
COA = Packet("input", OURS, None, None, 3799, "new")


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        ([], False),
        ([DROP], DROP),
        ([ACCEPT, DROP], False),
        ([{**ACCEPT, "disabled": "true"}, DROP], DROP),
        ([{**ACCEPT, "dst-port": "1700,3000-3798"}, DROP], DROP),
        ([{**ACCEPT, "dst-port": "!3799"}, DROP], DROP),
        ([{**ACCEPT, "protocol": "tcp"}, DROP], DROP),
        ([{**ACCEPT, "src-address": "192.0.2.0/24"}, DROP], False),
        ([{**ACCEPT, "src-address": "!192.0.2.0/24"}, DROP], DROP),
        ([{**ACCEPT, "src-address-list": "management"}, DROP], None),
        ([{**DROP, "in-interface-list": "!LAN"}], None),
        ([{**DROP, "in-interface-list": "!LAN"}, ACCEPT], None),
        ([{"chain": "input", "action": "jump", "jump-target": "icmp", "protocol": "icmp"}, ACCEPT], False),
        ([{"chain": "input", "action": "jump", "jump-target": "checks"}, DROP], None),
        ([{"chain": "input", "action": "log"}, {**DROP, "connection-state": "invalid"}], False),
        ([{**DROP, "dst-address": "10.0.0.1"}], None),
        ([{"chain": "forward", "action": "drop"}], False),
    ],
)
def test_the_first_rule_that_surely_matches_decides(rules: list[Row], outcome: Row | bool | None) -> None:
    assert blocking_rule(rules, COA) == outcome


def test_the_tolerances() -> None:
    facts = RouterFacts(NOW, None, None, NOW + timedelta(seconds=299), None, None, {}, None, None, None)
    [clock] = [finding for finding in examine(facts, WANTED) if finding.check == "clock"]
    assert clock.status is Status.PASS
