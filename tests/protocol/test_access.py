"""Access-Requests: who is let in, and what the reply carries. Numbers are those of docs/protocol.md."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from os import urandom
from types import FrameType
from typing import Any

import pytest

from radiuscore.aaa.records import CustomerExtras, CustomerStatus
from tests.protocol import oracle
from tests.protocol.asks import (
    CHALLENGE,
    METHODS,
    PEER,
    chap,
    each_method,
    mschap2,
    pap,
)
from tests.protocol.bench import NOW, ONE, PASSWORD, Bench, customer
from tests.protocol.oracle import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    MICROSOFT,
    PROXY_STATE,
    attribute,
    request,
    vendor,
)


@each_method
def test_a1_the_right_password_is_accepted_the_wrong_and_the_unknown_name_are_not(bench: Bench, method: str) -> None:
    ask = METHODS[method]
    assert bench.login(ask(identifier=1)).code == ACCESS_ACCEPT
    assert bench.login(ask("anna", "wrong", identifier=2)).code == ACCESS_REJECT
    assert bench.login(ask("otto", PASSWORD[1], identifier=3)).code == ACCESS_REJECT
    assert [(row.outcome, row.reason, row.method) for row in bench.logins] == [
        ("accept", "", method),
        ("reject", "bad_credentials", method),
        ("reject", "unknown_user", method),
    ]
    assert bench.engine.auth.counters.rejects == {"bad_credentials": 1, "unknown_user": 1}


@each_method
def test_a1_wrong_and_unknown_get_the_same_shape(bench: Bench, method: str) -> None:
    wrong = bench.login(METHODS[method]("anna", "wrong"))
    unknown = bench.login(METHODS[method]("otto", "wrong"), port=40002)
    assert [(kind, len(value)) for kind, value in wrong.attributes] == [
        (kind, len(value)) for kind, value in unknown.attributes
    ]


WORK = {"md5", "copy", "update", "digest", "hexdigest", "compare_digest", "new", "encryptor", "openssl_sha1"}


def crypto_calls(function: Callable[[], object]) -> Counter[str]:
    """Count the calls into digests, ciphers and comparisons that a function makes."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in WORK:
            calls[called.__name__] += 1

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


@each_method
def test_a1_wrong_and_unknown_cost_the_same_work(bench: Bench, method: str) -> None:
    ask = METHODS[method]
    for username in ("anna", "otto"):  # MS-CHAP keeps what it derived of a password
        bench.login(ask(username, "wrong", identifier=1))
    wrong = crypto_calls(lambda: bench.auth(ask("anna", "wrong", identifier=2)))
    unknown = crypto_calls(lambda: bench.auth(ask("otto", "wrong", identifier=3)))
    assert bench.logins[-1].reason == "unknown_user"
    assert wrong["compare_digest"] == 2  # Message-Authenticator, and the password
    assert wrong == unknown


def hidden(octets: bytes) -> bytes:
    return request(attribute(1, "anna"), attribute(2, octets), sign=ONE)


UNPROVED = {
    "15 octets": hidden(oracle.hide(PASSWORD[1].encode(), ONE)[:15]),
    "0 octets": hidden(b""),
    "17 octets": hidden(oracle.hide(PASSWORD[1].encode(), ONE) + b"\0"),
    "144 octets": hidden(oracle.hide(PASSWORD[1].encode(), ONE, blocks=9)),
    "empty password": pap("anna", ""),
    "empty password by CHAP": chap("anna", ""),
    "empty password by MS-CHAPv2": mschap2("anna", ""),
    "no password": request(attribute(1, "anna"), sign=ONE),
    "no name": request(attribute(2, oracle.hide(PASSWORD[1].encode(), ONE)), sign=ONE),
    "nothing": request(sign=ONE),
    "CHAP of 16 octets": request(attribute(1, "anna"), attribute(3, bytes(16)), sign=ONE),
    "CHAP of 18 octets": request(attribute(1, "anna"), attribute(3, bytes(18)), sign=ONE),
    "CHAP of its ident alone": request(attribute(1, "anna"), attribute(3, b"\x03"), sign=ONE),
    "MS-CHAP without challenge": request(
        attribute(1, "anna"),
        vendor(MICROSOFT, attribute(25, oracle.mschap2(5, b"", PEER, b"anna", PASSWORD[1]))),
        sign=ONE,
    ),
    "MS-CHAPv2 with a short challenge": request(
        attribute(1, "anna"),
        vendor(MICROSOFT, attribute(11, CHALLENGE[:8])),
        vendor(MICROSOFT, attribute(25, oracle.mschap2(5, CHALLENGE[:8], PEER, b"anna", PASSWORD[1]))),
        sign=ONE,
    ),
    "MS-CHAP with an LM response only": request(
        attribute(1, "anna"),
        vendor(MICROSOFT, attribute(11, CHALLENGE[:8])),
        vendor(MICROSOFT, attribute(1, oracle.mschap1(5, CHALLENGE[:8], PASSWORD[1], flags=0))),
        sign=ONE,
    ),
}


@pytest.mark.parametrize("ask", UNPROVED.values(), ids=UNPROVED)
@pytest.mark.parametrize("stored", [PASSWORD[1].encode(), b"", None], ids=["a password", "an empty one", "none"])
def test_a2_what_proves_no_password_is_rejected(ask: bytes, stored: bytes | None) -> None:
    anna = replace(customer("anna"), password=stored)
    bench = Bench(customers=[anna])
    reply = bench.login(ask)
    assert reply.code == ACCESS_REJECT
    assert bench.reason in {"bad_credentials", "no_credentials", "bad_request"}


STRANGE = {
    "128 octets": ("berta", "p" * 128),
    "128 octets of UTF-8": ("berta", "ü" * 64),
    "15, 16, 17": ("berta", "0123456789abcdef0"),
    "a NUL inside": ("berta", "arc\0tangent"),
    "name of 253 octets": ("n" * 253, "arctangent"),
    "name in UTF-8": ("jürgen@größe.example", "größe"),
    "name in Greek": ("ΣΊΣΥΦΟΣ", "σ"),  # noqa: RUF001
    "name beyond the BMP": ("🦊@example", "🦊"),
    "SQL": ("' OR '1'='1' --", "'; DROP TABLE customers; --"),
    "format": ("%s%n{0}${jndi:x}", "%x%x{}"),
    "markup and control": ("<script>\r\n\x1b[2J", "a\tb"),
    "backslashes": ("a\\x00b\\\\", "\\"),
}


@pytest.mark.parametrize(("username", "password"), STRANGE.values(), ids=STRANGE)
@each_method
def test_a3_strange_names_and_passwords_are_taken_literally(username: str, password: str, method: str) -> None:
    bench = Bench(customers=[customer(username, password=password), customer("anna", id=9)])
    ask = METHODS[method]
    hashed = {"hashed": username.rpartition("\\")[2]} if method == "mschapv2" else {}
    assert bench.login(ask(username, password, identifier=1, **hashed)).code == ACCESS_ACCEPT
    assert (
        bench.login(ask(username, password + "x" if len(password) < 128 else "x", identifier=2)).code == ACCESS_REJECT
    )
    assert bench.login(ask("anna", password[:-1], identifier=3)).code == ACCESS_REJECT


NOT_ANNA = (
    b"anna\0", b"\0anna", b"an\0na", b"anna\0\0\0", b"anna ", b" anna", b"anna\xff", b"\xffanna", b"anna\xc3",
    b"anna\\x00", b"anna\n", b"\xe1nna", b"%anna", b"ann_",
)  # fmt: skip


@pytest.mark.parametrize("username", NOT_ANNA)
@pytest.mark.parametrize("method", ["pap", "chap"])
def test_a3_another_name_with_her_password_is_not_anna(bench: Bench, username: bytes, method: str) -> None:
    assert bench.login(METHODS[method](username)).code == ACCESS_REJECT
    assert bench.reason == "unknown_user"
    assert "\0" not in bench.logins[0].username


def test_a3_a_name_that_is_no_text_is_logged_so_that_nothing_is_lost(bench: Bench) -> None:
    for identifier, username in enumerate((b"anna\0", b"\xff\xfe", b"anna\\x00")):
        bench.login(pap(username, identifier=identifier))
    assert [row.username for row in bench.logins] == ["anna\\x00", "\\xff\\xfe", "anna\\\\x00"]


def test_a3_the_case_of_a_name_does_not_matter(bench: Bench) -> None:
    assert bench.login(pap("ANNA")).code == ACCESS_ACCEPT
    assert bench.logins[0].username == "ANNA"


@pytest.mark.parametrize("size", [1, 8, 16, 63, 253])
def test_a4_chap_with_a_challenge_of_its_own(bench: Bench, size: int) -> None:
    challenge = bytes(octet % 256 for octet in range(size))
    for identifier, password, code in ((1, PASSWORD[1], ACCESS_ACCEPT), (2, "wrong", ACCESS_REJECT)):
        ask = request(
            attribute(1, "anna"),
            attribute(oracle.CHAP_PASSWORD, oracle.chap(200, password.encode(), challenge)),
            attribute(oracle.CHAP_CHALLENGE, challenge),
            identifier=identifier,
            sign=ONE,
        )
        assert bench.login(ask).code == code


def test_a4_chap_with_the_request_authenticator_as_challenge(bench: Bench) -> None:
    authenticator = urandom(16)
    assert bench.login(chap(authenticator=authenticator)).code == ACCESS_ACCEPT
    of_another = request(
        attribute(1, "anna"), attribute(3, oracle.chap(3, PASSWORD[1].encode(), urandom(16))), sign=ONE
    )
    assert bench.login(of_another).code == ACCESS_REJECT


REJECTED = {
    "unknown": customer("berta"),
    "wrong": customer("anna", password="other"),
    "suspended": customer("anna", status=CustomerStatus.SUSPENDED),
    "unpaid": customer("anna", status=CustomerStatus.UNPAID),
    "expired": customer("anna", expires_at=NOW - 1),
    "no plan": replace(customer("anna"), plan_id=None),
    "another device": customer("anna", extras=CustomerExtras(nas_ids=frozenset({99}))),
    "another MAC": customer("anna", extras=CustomerExtras(mac_addresses=frozenset({bytes(6)}))),
    # What an Accept would have carried.
    "suspended with an address": customer(
        "anna",
        status=CustomerStatus.SUSPENDED,
        extras=CustomerExtras(framed_ip_address=IPv4Address("10.9.9.9"), framed_routes=("10.8.0.0/24",)),
    ),
}


@pytest.mark.parametrize("who", REJECTED.values(), ids=REJECTED)
@each_method
def test_a7_a_reject_carries_what_a_reject_may(who: Any, method: str) -> None:
    bench = Bench(customers=[who])
    reply = bench.login(METHODS[method]("anna", PASSWORD[1], attribute(PROXY_STATE, b"x")))
    assert reply.code == ACCESS_REJECT
    allowed = {
        oracle.REPLY_MESSAGE, oracle.STATE, PROXY_STATE, oracle.EAP_MESSAGE, oracle.MESSAGE_AUTHENTICATOR,
        oracle.ERROR_CAUSE, oracle.VENDOR_SPECIFIC,
    }  # fmt: skip
    assert set(reply.kinds) <= allowed
    error = MICROSOFT.to_bytes(4, "big") + bytes((oracle.MS_CHAP_ERROR,))
    assert all(value.startswith(error) for value in reply.all(oracle.VENDOR_SPECIFIC))
