"""The order of checks, and what is counted: every silence has exactly one reason, every request one outcome."""

import pytest

from radiuscore import Accept, Nas, RadiusServer
from radiuscore.state.nastable import MAX_TRIES
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import pap, report
from tests.protocol.bench import ONE, SHARED, TWO, Bench
from tests.protocol.oracle import ACCESS_ACCEPT, attribute, read_reply, request

MALFORMED = b"\x1f\x01"
FAULTS = [
    # Each datagram has this fault and all those below it; the first one is told.
    (b"\x04", "10.0.0.99", Discard.SHORT_PACKET),
    (b"\x04" + bytes(30), "10.0.0.99", Discard.UNKNOWN_NAS),
    (b"\x04" + bytes(30), "10.0.0.1", Discard.CODE_NOT_ALLOWED),
    (b"\x01" + bytes(30), "10.0.0.1", Discard.BAD_LENGTH),
    (pap("anna", "wrong", MALFORMED, secret=b"wrong"), "10.0.0.1", Discard.BAD_ATTRIBUTE),
    (pap("anna", "wrong", secret=b"wrong"), "10.0.0.1", Discard.BAD_MESSAGE_AUTHENTICATOR),
]


@pytest.mark.parametrize(("datagram", "source", "reason"), FAULTS)
def test_the_first_fault_is_the_reason(bench: Bench, datagram: bytes, source: str, reason: Discard) -> None:
    assert bench.auth(datagram, source) is reason
    assert bench.discards() == {reason: 1}
    assert bench.engine.auth.counters.requests == {}


def test_a_proof_comes_before_the_duplicate(bench: Bench) -> None:
    """Who cannot prove the secret must not fetch a reply with a header that he saw."""
    ask = pap()
    bench.login(ask)
    forged = ask[:20] + request(attribute(1, "anna"), sign=b"wrong")[20:]
    forged = forged[:2] + len(forged).to_bytes(2, "big") + forged[4:]
    assert bench.auth(forged) is Discard.BAD_MESSAGE_AUTHENTICATOR


def test_what_an_isp_is_shown_of_its_devices_faults(bench: Bench) -> None:
    bench.auth(pap(secret=b"wrong"))
    bench.auth(pap(secret=b"wrong"), SHARED)
    bench.auth(pap(), "10.0.0.99")
    bad = Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.engine.auth.counters.device_discards == {(1, 11, bad): 1, (1, 12, bad): 1, (2, 22, bad): 1}


def test_a_bad_packet_costs_the_same_however_many_devices_are_at_its_address() -> None:
    bench = Bench(Nas(SHARED, b"%d" % number, isp_id=1, id=number) for number in range(1, 500))
    assert bench.auth(pap(secret=b"wrong"), SHARED) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert len(bench.engine.auth.counters.device_discards) == MAX_TRIES


def test_requests_and_replies_are_counted_by_code(bench: Bench) -> None:
    bench.login(pap(identifier=1))
    bench.login(pap("anna", "wrong", identifier=2))
    bench.auth(pap(identifier=1))
    bench.login(request(code=oracle.STATUS_SERVER, sign=ONE))
    bench.acknowledged(report())
    auth, acct = bench.engine.auth.counters, bench.engine.acct.counters
    assert auth.requests == {1: 3, 12: 1}
    assert auth.replies == {2: 2, 3: 1}
    assert (auth.duplicates, auth.rejects) == (1, {"bad_credentials": 1})
    assert (acct.requests, acct.replies) == ({4: 1}, {5: 1})


def test_a_fault_of_a_handler_is_the_callers_to_log_and_is_forgotten() -> None:
    server = RadiusServer([Nas("10.0.0.1", ONE)])
    decisions: list[Exception | Accept] = [ZeroDivisionError(), Accept()]

    @server.on_access
    def access(_: object) -> Accept:
        decision = decisions.pop(0)
        if isinstance(decision, Exception):
            raise decision
        return decision

    ask, source = pap(), ("10.0.0.1", 40001)
    with pytest.raises(ZeroDivisionError):
        server.handle(ask, source)
    assert read_reply(server.handle(ask, source), ask, ONE).code == ACCESS_ACCEPT


def test_without_handlers_there_is_silence() -> None:
    server = RadiusServer([Nas("10.0.0.1", ONE)])
    assert server.handle(pap(), ("10.0.0.1", 40001)) is Discard.NOT_HANDLED


def test_two_isps_share_an_address_and_nothing_else(bench: Bench) -> None:
    """The same name, address, port, identifier, authenticator and session id, all at once."""
    for isp_id, secret, password in ((1, ONE, "arctangent"), (2, TWO, "logarithm")):
        assert bench.login(pap("anna", password, secret=secret), SHARED, secret).code == ACCESS_ACCEPT
        bench.acknowledged(report(2, attribute(42, 1000 * isp_id), secret=secret), SHARED, secret)
    assert [(row.isp_id, row.nas_id, row.customer_id) for row in bench.logins] == [(1, 12, 101), (2, 22, 201)]
    assert [(event.isp_id, event.nas_id, event.customer_id, event.input_octets) for event in bench.recorded.events] == [
        (1, 12, 101, 1000),
        (2, 22, 201, 2000),
    ]
