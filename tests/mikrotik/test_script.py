"""The script an operator pastes: whole, because he pastes it whole."""

import pytest

from mikrotik.script import radius_script


def test_a_router_is_told_everything_it_needs() -> None:
    assert radius_script("192.0.2.10", "s3cret") == (
        "/radius remove [find comment=radiuscore]\n"
        '/radius add service=ppp,hotspot address=192.0.2.10 secret="s3cret" authentication-port=1812'
        " accounting-port=1813 timeout=3s comment=radiuscore\n"
        "/radius incoming set accept=yes port=3799\n"
        "/ppp aaa set use-radius=yes accounting=yes interim-update=5m\n"
        "/ip hotspot profile set [find] use-radius=yes radius-accounting=yes radius-interim-update=received\n"
        "/radius set [find comment=radiuscore] require-message-auth=yes-for-request-resp\n"
    )


def test_ports_source_and_services_are_as_asked() -> None:
    script = radius_script("2001:db8::1", "x", 1645, 1646, 1700, services=["ppp"], source="10.0.0.2")

    assert "service=ppp address=2001:db8::1 " in script
    assert "authentication-port=1645 accounting-port=1646 " in script
    assert "src-address=10.0.0.2 " in script
    assert "port=1700\n" in script
    assert "hotspot" not in script


def test_a_secret_cannot_leave_its_quotes() -> None:
    script = radius_script("192.0.2.10", 'a" \n/system reset-configuration #$x')

    assert r' secret="a\" \n/system reset-configuration #\$x" ' in script
    assert len(script.splitlines()) == 6


@pytest.mark.parametrize(("server", "source"), [("radius.example", None), ("192.0.2.10", "ether1; /quit")])
def test_an_address_is_an_address(server: str, source: str | None) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        radius_script(server, "x", source=source)
