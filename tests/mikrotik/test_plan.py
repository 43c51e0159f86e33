"""Plans: what is planned and applied leaves nothing to plan, by commands and by the pasted script; others' stay."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrotik import AsyncMikroTikClient, ConnectionType, menus
from mikrotik.intent import RadiusIntent, Scope, UserIntent, Wanted, wanted_radius, wanted_time, wanted_user
from mikrotik.menus import COMMENT, Menu
from mikrotik.plan import Add, Change, Remove, Set, as_diff, as_script, commands, plan
from mikrotik.transport import Row
from mikrotik.versions import Version
from tests.mikrotik.conftest import WAYS, Open
from tests.mikrotik.standin.console import Console
from tests.mikrotik.standin.personalities import routeros6, routeros7
from tests.mikrotik.standin.state import Router

INTENT = RadiusIntent(IPv4Address("192.0.2.77"), 'canary "s3cr$et" ?', coa_port=1700, source=IPv4Address("10.0.0.2"))
ROUTERS = [pytest.param(routeros7, Version(7, 16), id="7"), pytest.param(routeros6, Version(6, 48), id="6")]


def everything(version: Version) -> tuple[Wanted, ...]:
    user = UserIntent("radiuscore", "canary password", (IPv4Address("192.0.2.77"),))
    return (*wanted_radius(INTENT), *wanted_user(user, version), *wanted_time(("pool.ntp.org",), version))


async def planned(client: AsyncMikroTikClient, version: Version) -> tuple[Change, ...]:
    changes: list[Change] = []
    for wanted in everything(version):
        changes += plan(await client.read(wanted.menu.read(version)), wanted, version)
    return tuple(changes)


@pytest.mark.parametrize(("make", "version"), ROUTERS)
@pytest.mark.parametrize("way", WAYS)
async def test_applied_once_there_is_nothing_left(
    open_client: Open, make: Callable[[], Router], version: Version, way: ConnectionType
) -> None:
    router = make()
    if version.major < 7 and way is ConnectionType.REST:
        return
    client = await open_client(router, way)

    changes = await planned(client, version)
    for command in commands(changes):
        await client.run(command)

    assert [type(change) for change in changes] == [Set, Set, Set, Add, Add, Set]
    assert await planned(client, version) == ()
    [entry] = [row for row in router.tables["/radius"] if row["comment"] == COMMENT]
    assert (entry["address"], entry["secret"], entry["timeout"]) == ("192.0.2.77", INTENT.secret, "3s")
    assert ("require-message-auth" in entry) is (version.major >= 7)
    assert [row["name"] for row in router.tables["/user"]] == ["admin", "radiuscore"]


@pytest.mark.parametrize(("make", "version"), ROUTERS)
def test_the_pasted_script_does_the_same(make: Callable[[], Router], version: Version) -> None:
    router = make()

    def have(wanted: Wanted) -> Sequence[Row]:
        return router.rows(wanted.menu.path)

    changes = [change for wanted in everything(version) for change in plan(have(wanted), wanted, version)]
    for line in as_script(changes).splitlines():
        assert Console(router).run(line) == ""
    assert [change for wanted in everything(version) for change in plan(have(wanted), wanted, version)] == []


def test_only_what_is_ours_is_touched() -> None:
    foreign = {".id": "*1", "address": "198.51.100.1", "comment": "the old server"}
    like_ours = {".id": "*2", "address": "198.51.100.2", "comment": "radiuscore2"}
    dynamic = {".id": "*3", "address": "198.51.100.3", "comment": COMMENT, "dynamic": "true"}
    stale = {".id": "*4", "address": "198.51.100.4", "comment": "radiuscore/old"}
    twice = {".id": "*6", "address": "198.51.100.6", "comment": COMMENT}
    entry = {"address": "192.0.2.77", "comment": COMMENT}
    ours = {".id": "*5", **entry}
    wanted = Wanted(menus.RADIUS, Scope.OURS, (entry,))

    changes = plan([foreign, like_ours, dynamic, stale, ours, twice], wanted, Version(7, 16))

    assert changes == (
        Remove(menus.RADIUS, "*4", "radiuscore/old", stale),
        Remove(menus.RADIUS, "*6", COMMENT, twice),
    )


def test_equal_values_in_other_words_are_equal() -> None:
    row = {
        ".id": "*5",
        "service": "hotspot,ppp",
        "address": "192.0.2.77",
        "secret": INTENT.secret,
        "comment": COMMENT,
        "authentication-port": "1812",
        "accounting-port": "1813",
        "timeout": "00:00:03",
        "disabled": "false",
        "src-address": "10.0.0.2",
        "require-message-auth": "yes-for-request-resp",
        "called-id": "kept",
    }
    wanted = wanted_radius(INTENT)[0]

    assert plan([row], wanted, Version(7, 16)) == ()
    [change] = plan([{**row, "timeout": "300ms", "disabled": "true"}], wanted, Version(7, 16))
    assert isinstance(change, Set)
    assert (change.fields, change.before) == (
        {"timeout": "3s", "disabled": "no"},
        {"timeout": "300ms", "disabled": "true"},
    )


def test_a_secret_that_is_not_shown_is_written_only_when_that_is_the_purpose() -> None:
    [wanted] = [one for one in wanted_radius(INTENT) if one.menu is menus.RADIUS]
    row = {name: value for name, value in wanted.entries[0].items() if name != "secret"} | {".id": "*5"}

    assert plan([row], wanted, Version(7, 16)) == ()
    [change] = plan([row], wanted, Version(7, 16), write_hidden=True)
    assert isinstance(change, Set)
    assert dict(change.fields) == {"secret": INTENT.secret}


def test_a_plan_is_shown_without_secrets_and_pasted_with_them() -> None:
    wanted = wanted_radius(INTENT)
    stale = {".id": "*4", "address": "198.51.100.4", "comment": "radiuscore/old", "secret": "canary old"}
    changes = (
        *plan([stale], wanted[0], Version(7, 16)),
        *plan([{"accept": "no", "port": "3799"}], wanted[1], Version(7, 16)),
    )

    shown = as_diff(changes)
    assert "canary" not in shown + repr(changes) + repr(commands(changes)) + repr(wanted)
    assert "- /radius radiuscore/old\n    address: 198.51.100.4\n" in shown
    assert "+ /radius\n    service: ppp,hotspot\n" in shown
    assert "~ /radius incoming\n    accept: no -> yes\n    port: 3799 -> 1700\n" in shown
    assert as_script(changes).splitlines() == [
        '/radius remove [find comment="radiuscore/old"]',
        "/radius add service=ppp,hotspot address=192.0.2.77 secret="
        r'"canary \"s3cr\$et\" \?" authentication-port=1812 accounting-port=1813 timeout=3s disabled=no '
        "comment=radiuscore require-message-auth=yes-for-request-resp src-address=10.0.0.2",
        "/radius incoming set accept=yes port=1700",
    ]


NAMES = st.sampled_from([COMMENT, f"{COMMENT}/a", f"{COMMENT}/b", f"{COMMENT}/c", "", "somebody's"])
ENTRIES = st.fixed_dictionaries(
    {"comment": NAMES.filter(lambda name: name.startswith(COMMENT))},
    optional={
        "service": st.sampled_from(["ppp", "hotspot,ppp", "ppp,hotspot"]),
        "timeout": st.sampled_from(["3s", "00:00:03", "1s100ms"]),
        "disabled": st.sampled_from(["yes", "no", "true"]),
        "address": st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    },
)
HAVE = st.lists(
    st.fixed_dictionaries({"comment": NAMES}, optional={"timeout": st.just("3s"), "dynamic": st.just("true")})
)


def applied(have: Sequence[Row], changes: Sequence[Change]) -> list[Row]:
    """Return the rows of a router that did as told."""
    rows = {row[".id"]: dict(row) for row in have}
    for number, change in enumerate(changes):
        match change:
            case Add(_, fields):
                rows[f"*N{number}"] = {".id": f"*N{number}", **fields}
            case Set(_, identity, _, fields, _):
                rows[identity] |= fields
            case Remove(_, identity):
                del rows[identity]
    return list(rows.values())


@given(HAVE, st.lists(ENTRIES, unique_by=lambda entry: entry["comment"]))
def test_planning_after_applying_gives_nothing(have: list[Row], entries: list[Row]) -> None:
    rows = [{".id": f"*{number}", **row} for number, row in enumerate(have)]
    wanted = Wanted(menus.RADIUS, Scope.OURS, tuple(entries))

    after = applied(rows, plan(rows, wanted, Version(7, 16)))

    assert plan(after, wanted, Version(7, 16)) == ()
    strangers = [row for row in rows if not row["comment"].startswith(COMMENT) or row.get("dynamic")]
    assert [row for row in after if row in strangers] == strangers


def test_a_field_that_is_not_ours_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        menus.RADIUS.known({"called-id": "x"}, Version(7, 16))


@pytest.mark.parametrize("menu", [value for value in vars(menus).values() if isinstance(value, Menu)])
def test_every_menu_reads_its_key(menu: Menu) -> None:
    assert menu.single or {".id", "dynamic", menu.key} <= set(menu.read(Version(6, 40)).fields)
