"""What a reply carries: Proxy-State, tunnels, prefixes, and no more than fits. Numbers: docs/protocol.md."""

from collections.abc import Callable
from ipaddress import IPv6Network
from os import urandom

import pytest

from radiuscore import Accept, AccessRequest, Nas, RadiusServer
from radiuscore.aaa.changes import CustomerChange
from radiuscore.aaa.records import CustomerExtras, CustomerStatus
from radiuscore.attributes import (
    TUNNEL_CLIENT_ENDPOINT,
    TUNNEL_MEDIUM_TYPE,
    TUNNEL_PASSWORD,
    TUNNEL_PRIVATE_GROUP_ID,
    TUNNEL_TYPE,
)
from radiuscore.wire.password import hide_salted
from tests.protocol import oracle
from tests.protocol.asks import AUTHENTICATOR, METHODS, each_method, pap, report
from tests.protocol.bench import ONE, PASSWORD, Bench, customer
from tests.protocol.oracle import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    PROXY_STATE,
    attribute,
    read_reply,
    request,
)

STATES = [b"a", b"\0" * 253, bytes(range(253)), b"", b"a", b"\xff" * 16]
PROXIED = [attribute(PROXY_STATE, state) for state in STATES]


@pytest.mark.parametrize(("password", "code"), [(PASSWORD[1], ACCESS_ACCEPT), ("wrong", ACCESS_REJECT)])
@each_method
def test_a8_proxy_states_come_back_unchanged_and_in_order(bench: Bench, method: str, password: str, code: int) -> None:
    reply = bench.login(METHODS[method]("anna", password, *PROXIED))
    assert reply.code == code
    assert reply.all(PROXY_STATE) == STATES


def test_a8_proxy_states_come_back_in_an_acknowledgement(bench: Bench) -> None:
    assert bench.acknowledged(report(2, *PROXIED)).all(PROXY_STATE) == STATES


def test_a8_proxy_states_come_back_though_something_stands_between(bench: Bench) -> None:
    apart = [attribute(PROXY_STATE, b"first"), attribute(oracle.NAS_PORT, 1), attribute(PROXY_STATE, b"second")]
    assert bench.login(pap("anna", PASSWORD[1], *apart)).all(PROXY_STATE) == [b"first", b"second"]


def test_a8_no_proxy_state_is_invented(bench: Bench) -> None:
    assert PROXY_STATE not in bench.login(pap(identifier=1)).kinds
    assert PROXY_STATE not in bench.login(pap("anna", "wrong", identifier=2)).kinds
    assert PROXY_STATE not in bench.acknowledged(report()).kinds


def library(access: Callable[[AccessRequest], Accept]) -> RadiusServer:
    server = RadiusServer([Nas("10.0.0.1", ONE)])
    server.on_access(access)
    return server


def asked(server: RadiusServer, ask: bytes) -> oracle.Reply:
    return read_reply(server.handle(ask, ("10.0.0.1", 40001)), ask, ONE)


def test_a9_integers_of_tunnels_always_carry_a_tag() -> None:
    server = library(lambda _: Accept(TUNNEL_TYPE(13), TUNNEL_MEDIUM_TYPE(6), TUNNEL_TYPE(3, tag=31)))
    reply = asked(server, pap())
    assert reply.all(64) == [b"\x00\x00\x00\x0d", b"\x1f\x00\x00\x03"]
    assert reply.all(65) == [b"\x00\x00\x00\x06"]


def test_a9_texts_of_tunnels_carry_a_tag_where_there_is_one_or_one_could_be_read() -> None:
    server = library(
        lambda _: Accept(
            TUNNEL_PRIVATE_GROUP_ID("100"), TUNNEL_PRIVATE_GROUP_ID("100", tag=2), TUNNEL_PRIVATE_GROUP_ID("\x05x")
        )
    )
    assert asked(server, pap()).all(81) == [b"100", b"\x02100", b"\x00\x05x"]


@pytest.mark.parametrize(
    ("octets", "value", "tag"),
    [(b"10.0.0.1", "10.0.0.1", 0), (b"\x0110.0.0.1", "10.0.0.1", 1), (b"\x1fx", "x", 31), (b" x", " x", 0)],
)
def test_a9_the_first_octet_of_a_text_is_a_tag_up_to_31(octets: bytes, value: str, tag: int) -> None:
    read = []

    def access(request: AccessRequest) -> Accept:
        read.append(TUNNEL_CLIENT_ENDPOINT.first(request.packet))
        return Accept()

    asked(library(access), pap("anna", PASSWORD[1], attribute(66, octets)))
    assert read[0] is not None
    assert (read[0].value, read[0].tag) == (value, tag)


def test_a9_a_tunnel_password_is_salted_afresh_in_every_reply() -> None:
    def access(request: AccessRequest) -> Accept:
        hidden = hide_salted(b"tunnel password", urandom(2), request.nas.secret, request.packet.authenticator)
        return Accept(TUNNEL_PASSWORD(hidden, tag=1))

    server = library(access)
    values = []
    for identifier in range(20):
        (value,) = asked(server, pap(identifier=identifier)).all(69)
        assert value[0] == 1
        assert oracle.reveal_key(value[1:], ONE, AUTHENTICATOR) == b"tunnel password"
        values.append(value)
    assert len(set(values)) > 15


PREFIXES = {
    "::/0": "0000",
    "2001:db8::/32": "002020010db8",
    "2001:db8:1200::/39": "002720010db812",
    "2001:db8:1:2::/64": "004020010db800010002",
    "2001:db8::1/128": "008020010db8000000000000000000000001",
}


@pytest.mark.parametrize(("prefix", "octets"), PREFIXES.items())
def test_a10_a_prefix_is_sent_with_its_length_and_nothing_behind_it(bench: Bench, prefix: str, octets: str) -> None:
    network = IPv6Network(prefix)
    extras = CustomerExtras(framed_ipv6_prefix=network, delegated_ipv6_prefix=network)
    bench.replica.apply(CustomerChange(1, "anna", customer("anna", extras=extras)))
    reply = bench.login(pap())
    assert reply.all(97) == [bytes.fromhex(octets)]
    assert reply.all(123) == [bytes.fromhex(octets)]


@pytest.mark.parametrize(
    ("octets", "prefix"),
    [
        ("0000", "::/0"),
        ("0040", "::/64"),
        ("004020010db8", "2001:db8::/64"),
        ("004020010db80000000000000000000000ff", "2001:db8::/64"),
        ("002f20010db8ffff", "2001:db8:fffe::/47"),
        ("008020010db8000000000000000000000001", "2001:db8::1/128"),
        ("0081" + "00" * 16, None),
        ("00", None),
        ("0040" + "00" * 17, None),
    ],
)
def test_a10_a_reported_prefix_may_be_short_and_its_spare_bits_do_not_count(
    bench: Bench, octets: str, prefix: str | None
) -> None:
    bench.acknowledged(report(3, attribute(97, bytes.fromhex(octets)), attribute(123, bytes.fromhex(octets))))
    event = bench.recorded.events[0]
    expected = IPv6Network(prefix) if prefix is not None else None
    assert (event.framed_ipv6_prefix, event.delegated_ipv6_prefix) == (expected, expected)


ROUTES = tuple(f"10.{number}.0.0/16 10.0.0.1 1 {'x' * 160}" for number in range(20))


def test_a11_a_reply_that_would_not_fit_becomes_a_reject(bench: Bench) -> None:
    bench.replica.apply(CustomerChange(1, "anna", customer("anna", extras=CustomerExtras(framed_routes=ROUTES))))
    assert bench.login(pap(identifier=1)).code == ACCESS_ACCEPT  # 4096 octets are just not reached
    states = [attribute(PROXY_STATE, bytes(200)) for _ in range(2)]
    reply = bench.login(pap("anna", PASSWORD[1], *states, identifier=2))
    assert reply.code == ACCESS_REJECT
    assert len(reply.all(PROXY_STATE)) == 2
    assert bench.engine.auth.counters.rejects == {"reply_too_long": 1}


def test_a11_a_reject_that_would_not_fit_loses_its_message(bench: Bench) -> None:
    bench.replica.apply(CustomerChange(1, "anna", customer("anna", status=CustomerStatus.SUSPENDED)))
    room = 4096 - len(pap())
    states = [attribute(PROXY_STATE, bytes(253))] * (room // 255) + [attribute(PROXY_STATE, bytes(room % 255 - 2))]
    ask = pap("anna", PASSWORD[1], *states)
    assert len(ask) == 4096
    reply = bench.login(ask)
    assert reply.code == ACCESS_REJECT
    assert len(reply.all(PROXY_STATE)) == len(states)
    assert oracle.REPLY_MESSAGE in bench.login(pap(identifier=8)).kinds


def test_a11_what_cannot_be_answered_at_all_is_silence() -> None:
    """Only a proxy that is allowed not to sign can fill a packet with its own attributes."""
    bench = Bench([Nas("10.0.0.1", ONE, isp_id=1, id=11, limit_proxy_state=False)])
    ask = request(*[attribute(PROXY_STATE, bytes(253))] * 15, attribute(PROXY_STATE, bytes(249)))
    assert len(ask) == 4096
    assert not isinstance(bench.auth(ask), bytes)
