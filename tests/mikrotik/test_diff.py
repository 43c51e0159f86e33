"""Exports compared: the dated line and broken lines are no change."""

from mikrotik.diff import diff, differ

V7 = "# 2024-10-25 06:08:35 by RouterOS 7.10.1\n# software id = XX-XX \n/ip dhcp-client\nadd interface=ether1\n"
V6 = "# jul/21/2023 10:00:47 by RouterOS 6.48.6\r\n/ip address\r\nadd address=192.0.2.7/24 \\\r\n    interface=e1\r\n"


def test_the_date_is_no_change_and_the_version_is() -> None:
    assert not differ(V7, V7.replace("06:08:35", "07:00:00").replace("10-25", "10-26"))
    assert not differ(V6, V6.replace("jul/21", "aug/22"))
    assert differ(V7, V7.replace("7.10.1", "7.12"))


def test_a_broken_line_is_the_line_it_was() -> None:
    assert not differ(V6, V6.replace("\\\r\n    ", "").replace("\r\n", "\n"))


def test_a_change_is_shown() -> None:
    shown = diff(V7, V7.replace("ether1", "ether2"), old_name="Monday", new_name="Tuesday")

    assert "--- Monday\n+++ Tuesday\n" in shown
    assert "-add interface=ether1\n+add interface=ether2\n" in shown
    assert "2024" not in shown
    assert diff(V7, V7.replace("06:08:35", "07:00:00")) == ""


def test_anything_compares() -> None:
    assert not differ("", "\n")
    assert differ("", "x")
