"""Status-Server: is the server alive, and able to work? Numbers are those of docs/protocol.md."""

import pytest

from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.bench import ONE, TWO, Bench, octets_of
from tests.protocol.oracle import PROXY_STATE, STATUS_SERVER, attribute, read_reply, request

PORTS = {"auth": oracle.ACCESS_ACCEPT, "acct": oracle.ACCOUNTING_RESPONSE}
each_port = pytest.mark.parametrize(("port", "code"), PORTS.items())


def status(*attributes: bytes, secret: bytes | None = ONE, identifier: int = 7) -> bytes:
    return request(*attributes, code=STATUS_SERVER, sign=secret, identifier=identifier)


def ask(bench: Bench, port: str, datagram: bytes) -> object:
    return getattr(bench.engine, port).handle(datagram, octets_of("10.0.0.1", 40001), b"", bench.now)


@each_port
def test_s1_without_a_signature_it_is_dropped(bench: Bench, port: str, code: int) -> None:
    assert ask(bench, port, status(secret=None)) is Discard.MISSING_MESSAGE_AUTHENTICATOR
    assert ask(bench, port, status(attribute(1, "anna"), secret=None)) is Discard.MISSING_MESSAGE_AUTHENTICATOR


@each_port
def test_s1_with_a_wrong_signature_it_is_dropped(bench: Bench, port: str, code: int) -> None:
    right = status()
    for wrong in (status(secret=b"wrong"), status(secret=TWO), right[:-16] + bytes(16), right[:-1] + b"\0"):
        assert ask(bench, port, wrong) is Discard.BAD_MESSAGE_AUTHENTICATOR


@each_port
def test_s2_it_is_answered_in_the_way_of_the_port(bench: Bench, port: str, code: int) -> None:
    asked = status()
    reply = read_reply(ask(bench, port, asked), asked, ONE)
    assert reply.code == code
    assert set(reply.kinds) <= {oracle.MESSAGE_AUTHENTICATOR}


@each_port
def test_s2_proxy_states_come_back_and_nothing_of_a_user(bench: Bench, port: str, code: int) -> None:
    asked = status(attribute(PROXY_STATE, b"a"), attribute(1, "anna"), attribute(PROXY_STATE, bytes(253)))
    reply = read_reply(ask(bench, port, asked), asked, ONE)
    assert reply.all(PROXY_STATE) == [b"a", bytes(253)]
    assert set(reply.kinds) <= {oracle.MESSAGE_AUTHENTICATOR, PROXY_STATE}
    assert (bench.logins, bench.recorded.events) == ([], [])


@each_port
def test_s3_a_port_that_cannot_do_its_work_is_silent_until_it_can(bench: Bench, port: str, code: int) -> None:
    asked = status()
    bench.working[port] = False
    assert ask(bench, port, asked) is Discard.NOT_HANDLED
    other = "acct" if port == "auth" else "auth"
    assert read_reply(ask(bench, other, asked), asked, ONE).code == PORTS[other]
    bench.working[port] = True
    assert read_reply(ask(bench, port, asked), asked, ONE).code == code
