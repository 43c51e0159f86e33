"""Console scripts and what is read from consoles: exact by marks, total on any text, as good as text is otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrotik import console
from mikrotik.clitext import parse_block, parse_entries, parse_table
from mikrotik.script import radius_script
from mikrotik.transport import Command, Read
from tests.mikrotik.standin.console import Console
from tests.mikrotik.standin.personalities import routeros6, routeros7

MARK = "5f3a9c0d1e2b4a67"
values = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=30)


@given(st.lists(st.dictionaries(st.sampled_from(["name", "comment", "x-y"]), values, min_size=1), max_size=4))
def test_marked_fields_read_back_whatever_they_hold(rows: list[dict[str, str]]) -> None:
    lines = []
    for row in rows:
        lines.append(MARK * 2)
        lines += [f"{MARK}{name}={value}{MARK}" for name, value in row.items() if ":" not in value]
    text = "\r\n".join([*lines, f"{MARK}.end={MARK}", ""])

    expected = [{name: value for name, value in row.items() if ":" not in value} for row in rows]
    assert console.read_marked(text, MARK) == [row for row in expected if row]


@given(st.text() | st.lists(st.sampled_from([MARK, "\n", "name=x", ".end=", "=", " "])).map("".join))
def test_reading_a_console_is_total(text: str) -> None:
    console.read_marked(text, MARK)
    console.complains(text)
    console.complaint(text)
    parse_block(text)
    parse_entries(text)
    parse_table(text)


@given(
    st.lists(
        st.sampled_from(
            [
                " 0 ",
                "R ",
                "name=",
                '"',
                "\\",
                ";;; ",
                "Flags: X - disabled\n",
                "\n",
                "  ",
                "NAME  TYPE\n",
                "x",
                "=",
                "#",
            ]
        )
    ).map("".join)
)
def test_reading_what_looks_like_a_table_is_total(text: str) -> None:
    parse_entries(text)
    parse_table(text)
    parse_block(text)


def test_a_script_that_was_cut_off_gives_nothing() -> None:
    whole = Console(routeros7()).run(console.read_script(Read("/interface", ("name",)), MARK))

    assert len(console.read_marked(whole, MARK) or []) == 4
    for end in range(len(whole) - len(MARK) - 2):
        assert console.read_marked(whole[:end], MARK) is None


def test_an_entry_that_goes_away_while_it_is_read_is_left_out() -> None:
    router = routeros7()
    script = console.read_script(Read("/ppp/active", ("name",)), MARK)
    vanished = script.replace("[/ppp active find]", '[:toarray "*800001,*DEAD,*800002"]')

    assert len(console.read_marked(Console(router).run(vanished), MARK) or []) == 2


def test_an_echo_of_the_script_holds_no_mark() -> None:
    script = console.read_script(Read("/interface", ("name",)), MARK)

    assert MARK not in script
    assert script.isascii()
    assert "\n" not in script


@pytest.mark.parametrize(
    "read",
    [Read("/ip; /system reset", ("name",)), Read("/ip", ('name" x',)), Read("/ip", ("name",), where={"a b": "x"})],
)
def test_menus_and_fields_cannot_carry_commands(read: Read) -> None:
    with pytest.raises(ValueError, match="not a"):
        console.read_script(read, MARK)


def test_values_cannot_leave_their_quotes() -> None:
    evil = 'x" ]; /system reset-configuration; :put "'
    line = console.command_line(Command("/radius", "add", {"comment": evil, "service": "ppp,hotspot"}))

    assert line == r'/radius add comment="x\" ]; /system reset-configuration; :put \"" service=ppp,hotspot'


@pytest.mark.parametrize("make", [routeros6, routeros7])
def test_the_pasted_script_does_on_a_router_what_it_says(make: type) -> None:
    router = make()
    secret = 's3cr$et "with" \\ all ?'
    for _ in range(2):  # pasted again it replaces what it made
        for line in radius_script("192.0.2.77", secret, coa_port=1700).splitlines():
            said = Console(router).run(line)
            assert not said or "require-message-auth" in line
        [entry] = [row for row in router.tables["/radius"] if row["address"] == "192.0.2.77"]
        assert (entry["secret"], entry["service"], entry["timeout"]) == (secret, "ppp,hotspot", "3s")
        assert entry.get("require-message-auth") == ("yes-for-request-resp" if make is routeros7 else None)
    assert router.singles["/radius/incoming"] == {"accept": "true", "port": "1700"}
    assert {row["use-radius"] for row in router.tables["/ip/hotspot/profile"]} == {"true"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bad command name health (line 1 column 9)\r\n", "bad command name health (line 1 column 9)"),
        ("17:20:06 echo: system,info hello\r\nfailure: already have such\r\n", "failure: already have such"),
        ("expected end of command (line 1 column 15)", "expected end of command (line 1 column 15)"),
        ("input does not match any value of interface", "input does not match any value of interface"),
        ("not enough permissions (9)", "not enough permissions (9)"),
    ],
)
def test_a_complaint_is_known_by_its_words_and_not_by_an_exit_code(text: str, said: str) -> None:
    assert console.complains(text)
    assert console.complaint(text) == said


DETAIL = """\
Flags: X - disabled, R - running; S - slave
 0  R  name="ether1" type="ether" mtu=1500 rx-byte=205 149 015
       tx-byte=7
17:20:06 echo: system,error,critical login failure for user admin from 192.0.2.9 via ssh

 1 X   ;;; two lines of
comment
       name="say \\"hi\\" x=1" type="ether"

 2   S name=ether3 UniFi1 default-name=ether3 comment=
"""


def test_entries_in_detail() -> None:
    assert parse_entries(DETAIL) == [
        {
            "disabled": "false",
            "running": "true",
            "slave": "false",
            "name": "ether1",
            "type": "ether",
            "mtu": "1500",
            "rx-byte": "205 149 015",
            "tx-byte": "7",
        },
        {
            "disabled": "true",
            "running": "false",
            "slave": "false",
            "comment": "two lines of\ncomment",
            "name": 'say "hi" x=1',
            "type": "ether",
        },
        {
            "disabled": "false",
            "running": "false",
            "slave": "true",
            "name": "ether3 UniFi1",
            "default-name": "ether3",
            "comment": "",
        },
    ]


def test_entries_in_terse_form_need_a_legend() -> None:
    line = '0 R name=nina service=pppoe caller-id=02:1A:00:F6:D2:02 uptime=1d8h8m10s encoding="" session-id=0x81D00000 '

    [row] = parse_entries(line, {"R": "radius"})
    assert (row["radius"], row["name"], row["encoding"], row["session-id"]) == ("true", "nina", "", "0x81D00000")


TABLE7 = """\
Flags: R - RUNNING
Columns: NAME, RX-BYTE, TX-BYTE, TX-QUEUE-DROP
#   NAME        RX-BYTE      TX-BYTE  TX-QUEUE-DROP
0 R ether1  205 149 015  147 887 338              2
1   sfp 1             0            0              0
"""
TABLE6 = """\
Flags: X - disabled, R - radius, D - dynamic, B - blocked
 #   ADDRESS          MAC-ADDRESS        HOST-NAME  SERVER         RATE-LIMIT  STATUS  LAST-SEEN
 0   192.0.2.254                                    *1                         bound   35w13h13m15s
 1 X 192.0.2.253                         my phone   dhcp1                      waiting never
 2   ;;; the printer
     192.0.2.252      02:34:56:78:90:AA             dhcp1                      waiting never
"""


def test_tables_of_both_versions() -> None:
    assert parse_table(TABLE7) == [
        {"name": "ether1", "rx-byte": "205 149 015", "tx-byte": "147 887 338", "tx-queue-drop": "2"},
        {"name": "sfp 1", "rx-byte": "0", "tx-byte": "0", "tx-queue-drop": "0"},
    ]
    assert parse_table(TABLE6) == [
        {"address": "192.0.2.254", "server": "*1", "status": "bound", "last-seen": "35w13h13m15s"},
        {
            "address": "192.0.2.253",
            "host-name": "my phone",
            "server": "dhcp1",
            "status": "waiting",
            "last-seen": "never",
        },
        {
            "comment": "the printer",
            "address": "192.0.2.252",
            "mac-address": "02:34:56:78:90:AA",
            "server": "dhcp1",
            "status": "waiting",
            "last-seen": "never",
        },
    ]


def test_a_block() -> None:
    text = ";;; please reboot!\r\n       routerboard: yes\r\n             model: RB750Gr3\r\n  upgrade-firmware: \r\n"
    assert parse_block(text) == {"routerboard": "yes", "model": "RB750Gr3", "upgrade-firmware": ""}
