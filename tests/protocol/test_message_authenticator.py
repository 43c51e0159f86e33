"""Message-Authenticator: who must sign, and what a signature must be. Numbers are those of docs/protocol.md."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from radiuscore import MessageAuthenticatorPolicy, Nas
from radiuscore.aaa.devices import DeviceSigned
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import chap, pap, report
from tests.protocol.bench import NOW, ONE, PASSWORD, ROUTERS, SHARED, TWO, Bench
from tests.protocol.oracle import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    STATUS_SERVER,
    attribute,
    packet,
    read_reply,
    request,
)

ROUTER = Nas("10.0.0.1", ONE, isp_id=1, id=11)
REQUIRED = replace(ROUTER, require_message_authenticator=MessageAuthenticatorPolicy.YES)
NEVER = replace(ROUTER, require_message_authenticator=MessageAuthenticatorPolicy.NO)
BODY = pap(sign=False)[20:]
IDENTITY = b"\x02\x01\x00\x09\x01anna"


def signed_with(*values: bytes, right: int | None = None, body: bytes = BODY, code: int = 1) -> bytes:
    """Return a request with these Message-Authenticators; the one at index ``right`` is made the right one."""
    body += b"".join(attribute(MESSAGE_AUTHENTICATOR, value) for value in values)
    message = packet(code, 7, bytes(range(16)), body)
    if right is None:
        return message
    start = len(message) - sum(len(value) + 2 for value in values[right:]) + 2
    unsigned = message[:start] + bytes(16) + message[start + 16 :]
    return message[:start] + oracle.hmac_md5(ONE, unsigned) + message[start + 16 :]


RIGHT = pap()[-16:]
WRONG = {
    "wrong": signed_with(bytes(range(16))),
    "one bit off": signed_with(RIGHT[:15] + bytes((RIGHT[15] ^ 1,))),
    "zero": signed_with(bytes(16)),
    "15 octets": signed_with(RIGHT[:15]),
    "17 octets": signed_with(RIGHT + b"\0"),
    "0 octets": signed_with(b""),
    "1 octet": signed_with(b"\0"),
    "32 octets": signed_with(RIGHT * 2),
    "two, the second wrong": signed_with(bytes(16), bytes(range(16)), right=0),
    "two, the first wrong": signed_with(bytes(range(16)), bytes(16), right=1),
    "two, one empty": signed_with(b"", bytes(16), right=1),
    "twice the same": signed_with(RIGHT, RIGHT),
    "of another packet": signed_with(pap("otto")[-16:]),
    "over an earlier authenticator": signed_with(pap(authenticator=bytes(16))[-16:]),
    "by plain MD5": signed_with(oracle.md5(signed_with(bytes(16)), ONE)),
}


@pytest.mark.parametrize("ask", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("policy", list(MessageAuthenticatorPolicy))
def test_m1_whatever_is_not_one_right_signature_is_dropped(ask: bytes, policy: MessageAuthenticatorPolicy) -> None:
    bench = Bench([replace(ROUTER, require_message_authenticator=policy)])
    assert bench.auth(ask) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert (bench.logins, bench.signed, bench.proved) == ([], [], [])


@pytest.mark.parametrize("ask", WRONG.values(), ids=WRONG)
def test_m1_nor_is_a_status_server_answered(bench: Bench, ask: bytes) -> None:
    status = bytes((STATUS_SERVER,)) + ask[1:]
    assert bench.auth(status) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.acct(status) is Discard.BAD_MESSAGE_AUTHENTICATOR


@pytest.mark.parametrize("place", range(3))
def test_m1_a_right_signature_may_stand_anywhere(bench: Bench, place: int) -> None:
    parts = [attribute(kind, value) for kind, value in oracle.split(BODY)]
    parts.insert(place, attribute(MESSAGE_AUTHENTICATOR, bytes(16)))
    message = packet(1, 7, bytes(range(16)), b"".join(parts))
    before = message[: 20 + sum(map(len, parts[:place])) + 2]
    ask = before + oracle.hmac_md5(ONE, message) + message[len(before) + 16 :]
    assert bench.login(ask).code == ACCESS_ACCEPT


def test_m1_the_look_of_a_signature_inside_another_value_does_not_confuse(bench: Bench) -> None:
    decoy = attribute(oracle.NAS_IDENTIFIER, bytes((MESSAGE_AUTHENTICATOR, 18)) + bytes(16))
    assert bench.login(pap("anna", PASSWORD[1], decoy)).code == ACCESS_ACCEPT


@pytest.mark.parametrize("eap", [IDENTITY, b"", bytes(4), bytes(253)])
@pytest.mark.parametrize("nas", [ROUTER, NEVER])
def test_m2_eap_that_is_not_signed_is_dropped(nas: Nas, eap: bytes) -> None:
    bench = Bench([nas])
    ask = request(attribute(1, "anna"), attribute(EAP_MESSAGE, eap))
    assert bench.auth(ask) is Discard.MISSING_MESSAGE_AUTHENTICATOR
    assert bench.auth(pap("anna", PASSWORD[1], attribute(EAP_MESSAGE, eap), sign=False)) is (
        Discard.MISSING_MESSAGE_AUTHENTICATOR
    )


@pytest.mark.parametrize("eap", [[IDENTITY], [b""], [bytes(4)], [bytes(253)] * 3])
def test_m2_eap_that_is_signed_is_rejected_as_a_method_that_is_not_there(bench: Bench, eap: list[bytes]) -> None:
    ask = request(attribute(1, "anna"), *[attribute(EAP_MESSAGE, part) for part in eap], sign=ONE)
    assert bench.login(ask).code == ACCESS_REJECT
    assert bench.reason == "unsupported_method"


@pytest.mark.parametrize("method", [pap, chap])
@pytest.mark.parametrize("sign", [True, False])
@pytest.mark.parametrize(("password", "code"), [(PASSWORD[1], ACCESS_ACCEPT), ("wrong", ACCESS_REJECT)])
def test_m3_every_reply_to_an_access_request_is_signed_first_of_all(
    bench: Bench, method: Callable[..., bytes], sign: bool, password: str, code: int
) -> None:
    ask = method("anna", password, sign=sign)
    outcome = bench.auth(ask)
    assert isinstance(outcome, bytes)
    assert outcome[0] == code
    assert outcome[20:22] == bytes((MESSAGE_AUTHENTICATOR, 18))
    unsigned = outcome[:4] + ask[4:20] + outcome[20:22] + bytes(16) + outcome[38:]
    assert outcome[22:38] == oracle.hmac_md5(ONE, unsigned)
    assert read_reply(outcome, ask, ONE).kinds.count(MESSAGE_AUTHENTICATOR) == 1


@pytest.mark.parametrize("method", [pap, chap])
def test_m4_a_device_that_must_sign_is_not_heard_without(method: Callable[..., bytes]) -> None:
    bench = Bench([REQUIRED])
    assert bench.auth(method(sign=False)) is Discard.MISSING_MESSAGE_AUTHENTICATOR
    assert bench.login(method()).code == ACCESS_ACCEPT
    assert len(bench.logins) == 1


def test_m4_accounting_is_not_asked_to_sign() -> None:
    Bench([REQUIRED]).acknowledged(report())


@pytest.mark.parametrize("method", [pap, chap])
def test_m5_a_proxied_request_must_be_signed_unless_the_device_is_a_proxy(method: Callable[..., bytes]) -> None:
    states = attribute(PROXY_STATE, b"a"), attribute(PROXY_STATE, b"")
    bench = Bench([NEVER])
    for proxied in ([states[0]], [states[1]], states):
        assert bench.auth(method("anna", PASSWORD[1], *proxied, sign=False)) is Discard.PROXY_STATE_UNSIGNED
    assert bench.logins == []
    assert bench.login(method("anna", PASSWORD[1], *states)).code == ACCESS_ACCEPT

    proxy = Bench([replace(NEVER, limit_proxy_state=False)])
    reply = proxy.login(method("anna", PASSWORD[1], *states, sign=False))
    assert (reply.code, reply.all(PROXY_STATE)) == (ACCESS_ACCEPT, [b"a", b""])


def test_m5_is_the_default() -> None:
    assert ROUTER.limit_proxy_state


def test_m6_the_first_signature_latches_and_is_reported_once(bench: Bench) -> None:
    assert bench.login(pap(sign=False, identifier=1)).code == ACCESS_ACCEPT
    assert bench.signed == []
    assert bench.login(pap(identifier=2)).code == ACCESS_ACCEPT
    assert bench.login(pap(identifier=3)).code == ACCESS_ACCEPT
    assert bench.signed == [DeviceSigned(1, 11, NOW)]
    assert bench.auth(pap(sign=False, identifier=4)) is Discard.MISSING_MESSAGE_AUTHENTICATOR
    assert bench.auth(chap(sign=False, identifier=5)) is Discard.MISSING_MESSAGE_AUTHENTICATOR


@pytest.mark.parametrize("password", [PASSWORD[1], "wrong"])
def test_m6_a_rejected_login_latches_as_well(bench: Bench, password: str) -> None:
    bench.login(pap("anna", password))
    assert len(bench.signed) == 1


def test_m6_what_is_no_access_request_does_not_latch(bench: Bench) -> None:
    status = request(code=STATUS_SERVER, identifier=1, sign=ONE)
    assert isinstance(bench.auth(status), bytes)
    bench.acknowledged(report(sign=True))
    assert bench.signed == []
    assert bench.login(pap(sign=False, identifier=2)).code == ACCESS_ACCEPT


def test_m6_the_latch_is_kept_and_can_be_set_back() -> None:
    latched = replace(ROUTER, message_authenticator_seen=True)
    bench = Bench([latched])
    assert bench.auth(pap(sign=False)) is Discard.MISSING_MESSAGE_AUTHENTICATOR
    bench.change(latched, message_authenticator_seen=False)
    assert bench.login(pap(sign=False)).code == ACCESS_ACCEPT


def test_m6_a_device_that_may_go_without_is_never_latched_but_its_signature_is_noted() -> None:
    bench = Bench([NEVER])
    bench.login(pap(identifier=1))
    assert len(bench.signed) == 1
    assert bench.login(pap(sign=False, identifier=2)).code == ACCESS_ACCEPT


OLD, NEW = (attribute(oracle.NAS_IDENTIFIER, name) for name in ("old", "new"))
BEHIND_ONE_ADDRESS = (
    Nas(SHARED, ONE, isp_id=1, id=31, nas_identifier="old"),
    Nas(SHARED, ONE, isp_id=1, id=32, nas_identifier="new"),
)


def test_m6_of_two_devices_behind_one_address_only_the_one_that_signed_is_latched() -> None:
    bench = Bench(BEHIND_ONE_ADDRESS)
    assert bench.login(pap("anna", PASSWORD[1], NEW, identifier=1), SHARED).code == ACCESS_ACCEPT
    assert bench.signed == [DeviceSigned(1, 32, NOW)]
    assert bench.login(pap("anna", PASSWORD[1], OLD, sign=False, identifier=2), SHARED).code == ACCESS_ACCEPT
    without = pap("anna", PASSWORD[1], NEW, sign=False, identifier=3)
    assert bench.auth(without, SHARED) is Discard.MISSING_MESSAGE_AUTHENTICATOR
    assert [row.nas_id for row in bench.logins] == [32, 31]


def test_m6_devices_that_cannot_be_told_apart_are_not_latched() -> None:
    """Either of them may have signed; the older one would fall silent."""
    bench = Bench(replace(nas, nas_identifier=None) for nas in BEHIND_ONE_ADDRESS)
    assert bench.login(pap(identifier=1), SHARED).code == ACCESS_ACCEPT
    assert bench.signed == []
    assert bench.login(pap(sign=False, identifier=2), SHARED).code == ACCESS_ACCEPT


def test_m6_devices_with_secrets_of_their_own_are_told_apart_without_a_name() -> None:
    one, other = (replace(nas, nas_identifier=None) for nas in BEHIND_ONE_ADDRESS)
    bench = Bench([one, replace(other, secret=TWO)])
    bench.login(pap(secret=TWO), SHARED, TWO)
    assert bench.signed == [DeviceSigned(1, 32, NOW)]


def test_m6_a_neighbours_signature_latches_nobody_else() -> None:
    bench = Bench(ROUTERS)
    bench.login(pap("anna", PASSWORD[2], secret=TWO), SHARED, TWO)
    assert bench.signed == [DeviceSigned(2, 22, NOW)]
    latched = {key: entry.signed for key in ((1, 12), (2, 22)) if (entry := bench.nases.get(*key))}
    assert latched == {(1, 12): False, (2, 22): True}


@pytest.mark.parametrize("method", [pap, chap])
def test_m7_a_device_that_never_signs_is_served_by_default_and_can_be_warned_of(
    bench: Bench, method: Callable[..., bytes]
) -> None:
    for identifier in range(20):
        assert bench.login(method(sign=False, identifier=identifier)).code == ACCESS_ACCEPT
    assert bench.signed == []  # what staff are warned by: it has never been seen to sign
    assert ROUTER.require_message_authenticator is MessageAuthenticatorPolicy.AUTO


def test_m12_a_signed_accounting_request_is_verified_over_a_zero_authenticator(bench: Bench) -> None:
    bench.acknowledged(report(sign=True))
    assert len(bench.recorded.events) == 1


def accounting_signed_over(authenticator: bytes) -> bytes:
    """Return an Accounting-Request that is right but for the authenticator its signature was made over."""
    body = report()[20:] + attribute(MESSAGE_AUTHENTICATOR, bytes(16))
    body = body[:-16] + oracle.hmac_md5(ONE, packet(4, 7, authenticator, body))
    message = packet(4, 7, bytes(16), body)
    return message[:4] + oracle.md5(message, ONE) + body


@pytest.mark.parametrize("value", [bytes(16), bytes(range(16)), b"", bytes(15), bytes(17)])
def test_m12_a_wrong_signature_of_accounting_is_dropped(bench: Bench, value: bytes) -> None:
    ask = report(1, attribute(MESSAGE_AUTHENTICATOR, value))
    assert bench.acct(ask) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.acct(accounting_signed_over(b"\1" * 16)) is Discard.BAD_MESSAGE_AUTHENTICATOR
    two = report(1, attribute(MESSAGE_AUTHENTICATOR, bytes(16)), sign=True)
    assert bench.acct(two) is Discard.BAD_MESSAGE_AUTHENTICATOR
    assert bench.recorded.events == []
    bench.acknowledged(accounting_signed_over(bytes(16)))


@pytest.mark.parametrize("policy", list(MessageAuthenticatorPolicy))
def test_m12_accounting_need_not_be_signed_and_its_response_is_not(policy: MessageAuthenticatorPolicy) -> None:
    bench = Bench([replace(ROUTER, require_message_authenticator=policy, message_authenticator_seen=True)])
    for ask in (report(identifier=1), report(identifier=2, sign=True)):
        assert bench.acknowledged(ask).attributes == ()
