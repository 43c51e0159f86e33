"""Header and framing: what is a RADIUS packet, and whose. Numbers are those of docs/protocol.md."""

import logging

import pytest

from radiuscore import Accept, AccessRequest, AccountingEvent, Nas, RadiusServer
from radiuscore.server.discardlog import DiscardLog
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import chap, pap, report
from tests.protocol.bench import ONE, PASSWORD, TWO, Bench, octets_of
from tests.protocol.oracle import attribute, read_reply, request, vendor

STATUS = request(code=oracle.STATUS_SERVER, sign=ONE)
LOGIN = pap()
UNKNOWN_TYPES = (17, 105, 192, 240, 255)


@pytest.mark.parametrize("ask", [LOGIN, STATUS, pap(sign=False)])
def test_h1_a_stranger_gets_no_answer_on_the_authentication_port(bench: Bench, ask: bytes) -> None:
    assert bench.auth(ask, source="10.0.0.99") is Discard.UNKNOWN_NAS
    assert bench.auth(ask, source="2001:db8::99") is Discard.UNKNOWN_NAS
    assert bench.logins == []


@pytest.mark.parametrize("ask", [report(), STATUS])
def test_h1_a_stranger_gets_no_answer_on_the_accounting_port(bench: Bench, ask: bytes) -> None:
    assert bench.acct(ask, source="10.0.0.99") is Discard.UNKNOWN_NAS
    assert bench.recorded.events == []


def test_h1_a_stranger_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    log = DiscardLog(lambda address: {})
    with caplog.at_level(logging.WARNING):
        for second in range(120):
            log.note(octets_of("10.0.0.99", 4000 + second), Discard.UNKNOWN_NAS, 5000.0 + second)
    assert len(caplog.records) == 2
    assert not {"secret", "password"} & set(caplog.text.split())


def lengthened(datagram: bytes, length: int) -> bytes:
    return datagram[:2] + length.to_bytes(2, "big") + datagram[4:]


@pytest.mark.parametrize("size", [0, 1, 4, 19])
def test_h2_a_datagram_shorter_than_a_header_is_dropped(bench: Bench, size: int) -> None:
    assert bench.auth(LOGIN[:size]) is Discard.SHORT_PACKET
    assert bench.acct(report()[:size]) is Discard.SHORT_PACKET


@pytest.mark.parametrize("length", [0, 1, 19, len(LOGIN) + 1, 4096, 65535])
def test_h2_a_length_below_the_header_or_beyond_the_datagram_is_dropped(bench: Bench, length: int) -> None:
    assert bench.auth(lengthened(LOGIN, length)) is Discard.BAD_LENGTH
    assert bench.acct(lengthened(report(), length)) is Discard.BAD_LENGTH


def test_h2_a_length_over_4096_is_dropped_though_the_octets_are_there(bench: Bench) -> None:
    filled = b"".join(attribute(kind, bytes(250)) for kind in UNKNOWN_TYPES * 4)
    assert bench.auth(pap("anna", PASSWORD[1], filled)) is Discard.BAD_LENGTH


@pytest.mark.parametrize("padding", [b"\0", b"\x50", b"\0" * 100, b"\x50\x12" + bytes(16), b"\xff" * 4096])
def test_h3_octets_after_the_length_are_ignored(bench: Bench, padding: bytes) -> None:
    for ask in (pap(sign=False), pap(identifier=8), chap(identifier=9)):
        assert read_reply(bench.auth(ask + padding), ask, ONE).code == oracle.ACCESS_ACCEPT
    for asked in (report(), report(sign=True, identifier=9)):
        assert read_reply(bench.acct(asked + padding), asked, ONE).code == oracle.ACCOUNTING_RESPONSE


def filler(length: int) -> bytes:
    """Return attributes of unknown types that take exactly so many octets."""
    parts = b""
    while length > 255:
        step = 255 if length - 255 >= 2 else 200
        parts, length = parts + attribute(UNKNOWN_TYPES[0], bytes(step - 2)), length - step
    return parts + attribute(UNKNOWN_TYPES[1], bytes(length - 2))


def test_h4_a_packet_of_4096_octets_is_answered(bench: Bench) -> None:
    login = pap("anna", PASSWORD[1], filler(4096 - len(LOGIN)))
    assert len(login) == 4096
    assert bench.login(login).code == oracle.ACCESS_ACCEPT
    reported = report(2, filler(4096 - len(report())))
    assert len(reported) == 4096
    bench.acknowledged(reported)


MALFORMED = {
    "length 0": b"\x1f\x00",
    "length 1": b"\x1f\x01",
    "length 0, octets behind": b"\x1f\x00abcd",
    "length 1, octets behind": b"\x1f\x01abcd",
    "beyond the packet": b"\x1f\x07abcd",
    "far beyond the packet": b"\x1f\xffabcd",
    "a type alone": b"\x1f",
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_h5_a_malformed_attribute_drops_the_packet(bench: Bench, malformed: bytes) -> None:
    # Everything else is right: the signature is over the malformed octets too.
    assert bench.auth(pap("anna", PASSWORD[1], malformed)) is Discard.BAD_ATTRIBUTE
    assert bench.auth(pap("anna", PASSWORD[1], malformed, sign=False)) is Discard.BAD_ATTRIBUTE
    assert bench.acct(report(1, malformed)) is Discard.BAD_ATTRIBUTE
    assert bench.logins == []
    assert bench.recorded.events == []


OPTIONAL = (4, 5, 6, 7, 8, 12, 26, 30, oracle.CALLING_STATION_ID, oracle.NAS_IDENTIFIER, 61, 87, 95, 241, 245)


@pytest.mark.parametrize("kind", OPTIONAL)
def test_h6_an_empty_attribute_counts_as_absent(bench: Bench, kind: int) -> None:
    assert bench.login(pap("anna", PASSWORD[1], attribute(kind, b""))).code == oracle.ACCESS_ACCEPT
    bench.acknowledged(report(2, attribute(kind, b"")))
    assert bench.recorded.events[0] == plain_event(2)


def plain_event(status: int) -> AccountingEvent:
    """Return the event of a report that says nothing more."""
    other = Bench()
    other.acct(report(status))
    return other.recorded.events[0]


def test_h6_an_empty_challenge_is_no_challenge_and_an_empty_password_no_password(bench: Bench) -> None:
    for identifier, empty in enumerate((oracle.CHAP_CHALLENGE, oracle.USER_PASSWORD)):
        ask = chap("anna", PASSWORD[1], attribute(empty, b""), identifier=identifier)
        assert bench.login(ask).code == oracle.ACCESS_ACCEPT


def test_h6_an_empty_name_is_no_name(bench: Bench) -> None:
    assert bench.login(pap("")).code == oracle.ACCESS_REJECT
    assert bench.reason == "bad_request"


def test_h6_an_empty_chargeable_user_identity_asks_for_one_and_is_no_fault(bench: Bench) -> None:
    assert bench.login(pap("anna", PASSWORD[1], attribute(89, b""))).code == oracle.ACCESS_ACCEPT


@pytest.mark.parametrize(("count", "dropped"), [(200, False), (201, True), (1300, True)])
def test_h7_more_than_200_attributes_are_dropped(bench: Bench, count: int, dropped: bool) -> None:
    login = pap("anna", PASSWORD[1], attribute(192, b"x") * (count - 3))
    outcome = bench.auth(login)
    if dropped:
        assert outcome is Discard.TOO_MANY_ATTRIBUTES
    else:
        assert read_reply(outcome, login, ONE).code == oracle.ACCESS_ACCEPT


REPLIES_AND_NONSENSE = (0, 2, 3, 5, 6, 11, 13, 40, 41, 42, 43, 44, 45, 52, 99, 255)


@pytest.mark.parametrize("code", [*REPLIES_AND_NONSENSE, oracle.ACCOUNTING_REQUEST])
def test_h8_a_code_that_is_not_for_the_authentication_port_is_dropped(bench: Bench, code: int) -> None:
    assert bench.auth(request(attribute(1, "anna"), code=code, sign=ONE)) is Discard.CODE_NOT_ALLOWED
    assert bench.auth(bytes((code,)) + report()[1:]) is Discard.CODE_NOT_ALLOWED


@pytest.mark.parametrize("code", [*REPLIES_AND_NONSENSE, oracle.ACCESS_REQUEST])
def test_h8_a_code_that_is_not_for_the_accounting_port_is_dropped(bench: Bench, code: int) -> None:
    assert bench.acct(request(attribute(1, "anna"), code=code, sign=ONE)) is Discard.CODE_NOT_ALLOWED
    assert bench.acct(bytes((code,)) + report()[1:]) is Discard.CODE_NOT_ALLOWED


UNREADABLE = {
    "unknown type": attribute(192, b"\x00\xff"),
    "type 0": attribute(0, b"abc"),
    "unknown vendor": vendor(999_999, attribute(1, b"abc")),
    "no vendor at all": attribute(26, b"\0\0"),
    "a vendor and no more": attribute(26, b"\0\0\x37\x2a"),
    "half a header of a vendor's": attribute(26, b"\0\0\x37\x2a\x08"),
    "a vendor's longer than its attribute": attribute(26, b"\0\0\x37\x2a\x08\x20abc"),
    "a vendor's with octets behind": attribute(26, b"\0\0\x37\x2a\x08\x03ab"),
    "Microsoft's cut off": attribute(26, b"\0\0\x01\x37\x19\x34\x01"),
    "integer of 3 octets": attribute(oracle.NAS_PORT, b"abc"),
    "integer of 5 octets": attribute(oracle.NAS_PORT, b"abcde"),
    "address of 5 octets": attribute(8, b"abcde"),
    "IPv6 prefix of 1 octet": attribute(97, b"\0"),
    "IPv6 prefix of 19 octets": attribute(97, bytes(19)),
    "IPv6 prefix of 129 bits": attribute(97, b"\0\x81" + bytes(16)),
    "text that is no UTF-8": attribute(oracle.CALLING_STATION_ID, b"\xff\xfe"),
    "CHAP of 16 octets": attribute(oracle.CHAP_PASSWORD, bytes(16)),
}


@pytest.mark.parametrize("octets", UNREADABLE.values(), ids=UNREADABLE)
def test_h10_what_cannot_be_read_is_ignored_and_the_rest_is_answered(bench: Bench, octets: bytes) -> None:
    assert bench.login(pap("anna", PASSWORD[1], octets)).code == oracle.ACCESS_ACCEPT
    bench.acknowledged(report(3, octets, attribute(46, 60)))
    event = bench.recorded.events[0]
    assert (event.username, event.session_time) == ("anna", 60)
    assert (event.nas_port, event.framed_ip_address, event.framed_ipv6_prefix) == (None, None, None)


@pytest.mark.parametrize("kind", [41, 42, 43, 46, 47, 48, 49, 52, 53, 55, 61, 6])
@pytest.mark.parametrize("octets", [b"", b"a", b"abc", b"abcde", b"abcdefgh"])
def test_h10_a_counter_of_the_wrong_size_is_absent_and_costs_nothing_else(
    bench: Bench, kind: int, octets: bytes
) -> None:
    bench.acknowledged(report(3, attribute(kind, octets), attribute(8, b"\x0a\0\0\x05")))
    assert str(bench.recorded.events[0].framed_ip_address) == "10.0.0.5"
    assert bench.recorded.events[0]._replace(framed_ip_address=None) == plain_event(3)


@pytest.mark.parametrize("octets", UNREADABLE.values(), ids=UNREADABLE)
def test_h10_what_cannot_be_read_is_kept_as_it_came(octets: bytes) -> None:
    seen: list[AccessRequest] = []
    server = RadiusServer([Nas("10.0.0.1", ONE)])

    @server.on_access
    def access(request: AccessRequest) -> Accept:
        seen.append(request)
        return Accept()

    ask = pap("anna", PASSWORD[1], octets)
    read_reply(server.handle(ask, ("10.0.0.1", 40001)), ask, ONE)
    assert (octets[0], octets[2:]) in seen[0].packet.attributes
    assert seen[0].proves(PASSWORD[1])


ENDLESS = {
    "sub-attribute of length 0": attribute(26, b"\0\0\x37\x2a\x08\x00abc"),
    "sub-attribute of length 1": attribute(26, b"\0\0\x37\x2a\x08\x01abc"),
    "length 0 behind a good one": attribute(26, b"\0\0\x37\x2a\x08\x03a\x08\x00"),
    "Microsoft's of length 0": attribute(26, b"\0\0\x01\x37\x19\x00" + bytes(50)),
    "Microsoft's of length 0 behind a challenge": attribute(26, b"\0\0\x01\x37\x0b\x12" + bytes(16) + b"\x19\x00"),
    "long-extended without end": attribute(245, b"\x01\x80" + bytes(100)) * 20,
    "long-extended, headers only": attribute(246, b"\x01\x80") * 150,
    "extended within extended": attribute(241, b"\x1a\0\0\x37\x2a\xf1\x1a\0\0") * 10,
}


@pytest.mark.parametrize("octets", ENDLESS.values(), ids=ENDLESS)
def test_h11_attributes_without_end_end(bench: Bench, octets: bytes) -> None:
    assert bench.login(pap("anna", PASSWORD[1], octets)).code == oracle.ACCESS_ACCEPT
    ask = request(attribute(1, "anna"), octets, identifier=8, sign=ONE)
    assert bench.login(ask).code == oracle.ACCESS_REJECT
    assert bench.reason == "no_credentials"
    bench.acknowledged(report(1, octets))


def test_h12_with_the_wrong_secret_and_no_signature_a_password_is_wrong(bench: Bench) -> None:
    assert bench.login(pap(secret=b"wrong", sign=False)).code == oracle.ACCESS_REJECT
    assert bench.reason == "bad_credentials"


def test_h12_with_the_wrong_secret_chap_is_right_but_the_answer_is_not(bench: Bench) -> None:
    """Nothing in the request depends on the secret; the router drops the answer, which is signed with ours."""
    ask = chap(secret=b"wrong", sign=False)
    outcome = bench.auth(ask)
    assert read_reply(outcome, ask, ONE).code == oracle.ACCESS_ACCEPT
    assert isinstance(outcome, bytes)
    assert not oracle.pyrad_accepts(outcome, ask, b"wrong")


def test_h12_whatever_is_signed_with_the_wrong_secret_is_dropped(bench: Bench) -> None:
    assert bench.auth(pap(secret=b"wrong")) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.auth(chap(secret=b"wrong")) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.acct(report(secret=b"wrong")) is Discard.BAD_AUTHENTICATOR
    status = request(code=oracle.STATUS_SERVER, sign=b"wrong")
    assert bench.auth(status) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.acct(status) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert (bench.logins, bench.recorded.events) == ([], [])


def test_h12_the_secret_of_another_isp_is_a_wrong_secret(bench: Bench) -> None:
    assert bench.auth(pap(secret=TWO)) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.acct(report(secret=TWO)) is Discard.BAD_AUTHENTICATOR
