"""How a live session is named to its NAS, and what the NAS's answer means."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.dynauth import (
    ANSWERS,
    Answer,
    CannotIdentify,
    LiveSession,
    ReactionResult,
    Service,
    coa_attributes,
    disconnect_attributes,
    read_answer,
    refusal_text,
    service_of,
    silence_text,
)
from radiuscore.aaa.names import text_of
from radiuscore.wire.codes import Code, ErrorCause
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import Packet, Pair, decode, encode_attributes
from radiuscore.wire.rfc import (
    ACCT_SESSION_ID,
    ERROR_CAUSE,
    FRAMED_IP_ADDRESS,
    FRAMED_POOL,
    NAS_IP_ADDRESS,
    SESSION_TIMEOUT,
    USER_NAME,
)

ADDRESS = IPv4Address("10.5.50.7")
NAS = IPv4Address("192.168.88.1")
PPP = LiveSession(1, 1, "alice", "81d00000", ADDRESS, NAS)
HOTSPOT = LiveSession(1, 1, "02:00:00:00:00:AA", "80300001", ADDRESS)


def pairs_of(octets: bytes) -> tuple[Pair, ...]:
    return decode(b"\x28\0" + (20 + len(octets)).to_bytes(2, "big") + bytes(16) + octets).attributes


@pytest.mark.parametrize(
    ("acct_session_id", "service"),
    [
        ("80300001", Service.HOTSPOT),
        ("81d00000", Service.PPP),
        ("82000000", Service.WIRELESS),
        ("83f00001", Service.DHCP),
        ("86000001", Service.DOT1X),
        ("84000001", None),
        ("81D00000", None),
        ("81d0000", None),
        ("81d000000", None),
        ("81d00000\n", None),
        ("", None),
    ],
)
def test_a_routeros_session_id_says_which_service(acct_session_id: str, service: Service | None) -> None:
    assert service_of(acct_session_id) is service


ALICE, ID, AT, BY = USER_NAME("alice"), ACCT_SESSION_ID("81d00000"), FRAMED_IP_ADDRESS(ADDRESS), NAS_IP_ADDRESS(NAS)


@pytest.mark.parametrize(
    ("session", "named"),
    [
        (PPP, [ALICE, ID, AT, BY]),
        (PPP._replace(framed_ip_address=None), [ALICE, ID, BY]),
        (PPP._replace(nas_ip_address=None), [ALICE, ID, AT]),
        (PPP._replace(username=""), [ID, AT, BY]),
        (PPP._replace(acct_session_id=""), [ALICE, AT, BY]),
        (PPP._replace(acct_session_id="0000ABcd"), [ALICE, ACCT_SESSION_ID("0000ABcd"), AT, BY]),
        (PPP._replace(username="Home\\Alice"), [USER_NAME("Home\\Alice"), ID, AT, BY]),
        (HOTSPOT, [USER_NAME("02:00:00:00:00:AA"), ACCT_SESSION_ID("80300001"), AT]),
        (
            HOTSPOT._replace(acct_session_id="82300001", framed_ip_address=None),  # a wireless client has no address
            [USER_NAME("02:00:00:00:00:AA"), ACCT_SESSION_ID("82300001")],
        ),
    ],
)
def test_a_session_is_named_as_its_router_reported_it(session: LiveSession, named: list[Pair]) -> None:
    assert list(pairs_of(disconnect_attributes(session))) == named


@pytest.mark.parametrize(
    ("session", "message"),
    [
        (HOTSPOT._replace(framed_ip_address=None), "a hotspot session is known by its address"),
        (HOTSPOT._replace(framed_ip_address=None, acct_session_id="83000001"), "a dhcp session is known"),
        (PPP._replace(framed_ip_address=None, acct_session_id=""), "has reported only one"),
        (PPP._replace(framed_ip_address=None, username=""), "has reported only one"),
        (LiveSession(1, 1, "", "", None, NAS), "has reported only one"),
    ],
)
def test_a_session_that_might_be_taken_for_another_is_not_named(session: LiveSession, message: str) -> None:
    with pytest.raises(CannotIdentify, match=message):
        disconnect_attributes(session)
    with pytest.raises(CannotIdentify, match=message):
        coa_attributes(session, [SESSION_TIMEOUT(60)])


@given(st.binary(min_size=1, max_size=253), st.binary(min_size=1, max_size=253))
def test_names_and_ids_go_back_octet_for_octet(username: bytes, acct_session_id: bytes) -> None:
    session = LiveSession(1, 1, text_of(username), text_of(acct_session_id))
    if service_of(session.acct_session_id) not in (Service.HOTSPOT, Service.DHCP):
        assert pairs_of(disconnect_attributes(session)) == ((1, username), (44, acct_session_id))


@pytest.mark.parametrize(
    "username", [b"a\\b", b"a\\\\b", b"a\\x41", b"a\0b", b"\xff\\", b"\\\\x00\xfe", "zoë".encode()]
)
def test_escaped_names_go_back_octet_for_octet(username: bytes) -> None:
    session = PPP._replace(username=text_of(username))
    assert pairs_of(disconnect_attributes(session))[0] == (1, username)


@pytest.mark.parametrize("encoded", [False, True])
def test_a_change_names_the_session_first(encoded: bool) -> None:
    changes = [MIKROTIK_RATE_LIMIT("10M/50M"), SESSION_TIMEOUT(60)]
    octets = coa_attributes(PPP, encode_attributes(changes) if encoded else changes)
    assert octets == disconnect_attributes(PPP) + encode_attributes(changes)


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        (FRAMED_POOL("other"), "Framed-Pool"),
        (USER_NAME("bob"), "User-Name"),
        ((26, b"\0\0\0\x01\x02\x03x"), "Attr-26.1.2"),
    ],
)
def test_what_routeros_does_not_change_is_not_asked_for(pair: Pair, name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} cannot be changed"):
        coa_attributes(PPP, [SESSION_TIMEOUT(60), pair])


def reply(code: int, *pairs: Pair) -> Packet:
    return Packet(code, 1, bytes(16), pairs)


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        (reply(Code.COA_ACK), Answer(ReactionResult.APPLIED)),
        (reply(Code.DISCONNECT_ACK), Answer(ReactionResult.DISCONNECTED)),
        (reply(Code.DISCONNECT_ACK, ERROR_CAUSE(201)), Answer(ReactionResult.DISCONNECTED)),
        (reply(Code.COA_NAK, ERROR_CAUSE(503)), Answer(ReactionResult.ALREADY_GONE, 503)),
        (reply(Code.DISCONNECT_NAK, ERROR_CAUSE(503)), Answer(ReactionResult.ALREADY_GONE, 503)),
        (reply(Code.COA_NAK, ERROR_CAUSE(401)), Answer(ReactionResult.REFUSED, 401)),
        (reply(Code.DISCONNECT_NAK, ERROR_CAUSE(504)), Answer(ReactionResult.REFUSED, 504)),
        (reply(Code.COA_NAK, ERROR_CAUSE(999)), Answer(ReactionResult.REFUSED, 999)),
        (reply(Code.COA_NAK), Answer(ReactionResult.REFUSED)),
        (reply(Code.COA_NAK, (101, b"\x01")), Answer(ReactionResult.REFUSED)),
    ],
)
def test_reads_what_a_nas_answered(packet: Packet, answer: Answer) -> None:
    assert read_answer(packet) == answer


def test_each_request_has_its_own_answers() -> None:
    assert ANSWERS[Code.COA_REQUEST] == (44, 45)
    assert ANSWERS[Code.DISCONNECT_REQUEST] == (41, 42)


def test_every_cause_of_a_refusal_has_a_sentence() -> None:
    for cause in (None, 999, *ErrorCause):
        assert refusal_text(cause).startswith("The r")
        assert refusal_text(cause).endswith(".")
    assert refusal_text(999) == "The router refused with Error-Cause 999."


def test_silence_and_a_wrong_secret_are_told_apart() -> None:
    assert "another secret" in silence_text(1)
    assert "did not answer" in silence_text(0)
