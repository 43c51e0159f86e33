"""MS-CHAP, versions 1 and 2: the server's proof, keys and errors. Numbers are those of docs/protocol.md."""

import pytest

from tests.protocol import oracle
from tests.protocol.asks import AUTHENTICATOR, CHALLENGE, METHODS, PEER, mschap1, mschap2
from tests.protocol.bench import ONE, PASSWORD, Bench, customer
from tests.protocol.oracle import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    MICROSOFT,
    attribute,
    request,
    vendor,
)


def test_a5_mschapv2_is_answered_with_the_servers_proof_and_the_keys(bench: Bench) -> None:
    ask = mschap2()
    reply = bench.login(ask)
    assert reply.code == ACCESS_ACCEPT
    proof = oracle.success(CHALLENGE, PEER, b"anna", PASSWORD[1])
    assert reply.of_vendor(MICROSOFT, oracle.MS_CHAP2_SUCCESS) == [b"\x05" + proof]
    response = oracle.mschap2(5, CHALLENGE, PEER, b"anna", PASSWORD[1])[26:]
    hidden_keys = [reply.of_vendor(MICROSOFT, kind) for kind in (oracle.MS_MPPE_SEND_KEY, oracle.MS_MPPE_RECV_KEY)]
    assert [len(values) for values in hidden_keys] == [1, 1]
    (send,), (receive,) = hidden_keys
    assert (oracle.reveal_key(send, ONE, AUTHENTICATOR), oracle.reveal_key(receive, ONE, AUTHENTICATOR)) == (
        oracle.mppe_keys(response, PASSWORD[1])
    )
    assert send[0] & receive[0] & 0x80
    assert send[:2] != receive[:2]


def test_a5_mschapv1_is_answered_with_the_material_for_keys(bench: Bench) -> None:
    reply = bench.login(mschap1())
    assert reply.code == ACCESS_ACCEPT
    (keys,) = reply.of_vendor(MICROSOFT, oracle.MS_CHAP_MPPE_KEYS)
    assert len(keys) == 32
    # 8 octets of an LM key, the hash of the NT hash, 8 octets of padding (RFC 2548 §2.4.1)
    expected = bytes(8) + oracle.nt_hash_hash(PASSWORD[1]) + bytes(8)
    assert oracle.reveal(keys, ONE, AUTHENTICATOR) == expected


def test_a5_salts_are_fresh_for_every_reply(bench: Bench) -> None:
    salts = set()
    for identifier in range(50):
        reply = bench.login(mschap2(identifier=identifier))
        keys = [reply.of_vendor(MICROSOFT, kind)[0] for kind in (oracle.MS_MPPE_SEND_KEY, oracle.MS_MPPE_RECV_KEY)]
        assert keys[0][:2] != keys[1][:2]
        salts |= {key[:2] for key in keys}
    assert len(salts) > 60


def test_a5_mschapv2_hashes_the_name_as_it_was_typed_without_its_domain() -> None:
    bench = Bench(customers=[customer("EXAMPLE\\Anna"), customer("anna", id=9)])
    assert bench.login(mschap2("example\\anna", hashed="anna", identifier=1)).code == ACCESS_ACCEPT
    assert bench.login(mschap2("ANNA", identifier=2)).code == ACCESS_ACCEPT
    assert bench.login(mschap2("ANNA", hashed="anna", identifier=3)).code == ACCESS_REJECT


def test_a5_challenge_and_response_may_come_in_one_vendor_specific(bench: Bench) -> None:
    both = vendor(
        MICROSOFT,
        attribute(oracle.MS_CHAP_CHALLENGE, CHALLENGE),
        attribute(oracle.MS_CHAP2_RESPONSE, oracle.mschap2(5, CHALLENGE, PEER, b"anna", PASSWORD[1])),
    )
    assert bench.login(request(attribute(1, "anna"), both, sign=ONE)).code == ACCESS_ACCEPT


def test_a5_of_two_responses_the_first_counts(bench: Bench) -> None:
    challenge = vendor(MICROSOFT, attribute(oracle.MS_CHAP_CHALLENGE, CHALLENGE))
    right, wrong = (
        vendor(MICROSOFT, attribute(oracle.MS_CHAP2_RESPONSE, oracle.mschap2(5, CHALLENGE, PEER, b"anna", password)))
        for password in (PASSWORD[1], "wrong")
    )
    for identifier, responses, code in ((1, right + wrong, ACCESS_ACCEPT), (2, wrong + right, ACCESS_REJECT)):
        ask = request(attribute(1, "anna"), challenge, responses, sign=ONE, identifier=identifier)
        assert bench.login(ask).code == code


@pytest.mark.parametrize("method", ["mschapv1", "mschapv2"])
def test_a5b_keys_come_with_policy_and_types(bench: Bench, method: str) -> None:
    reply = bench.login(METHODS[method]())
    (policy,) = reply.of_vendor(MICROSOFT, oracle.MS_MPPE_ENCRYPTION_POLICY)
    (types,) = reply.of_vendor(MICROSOFT, oracle.MS_MPPE_ENCRYPTION_TYPES)
    assert int.from_bytes(policy, "big") in {1, 2}
    assert int.from_bytes(types, "big") == 2 | 4  # RC4 with 40 and with 128 bits


@pytest.mark.parametrize("method", ["pap", "chap"])
def test_a5b_without_mschap_nothing_of_microsoft_is_sent(bench: Bench, method: str) -> None:
    reply = bench.login(METHODS[method]())
    assert not [value for value in reply.all(26) if value.startswith(MICROSOFT.to_bytes(4, "big"))]


@pytest.mark.parametrize("username", ["anna", "otto"])
@pytest.mark.parametrize(("method", "challenge_digits"), [("mschapv2", 32), ("mschapv1", 16)])
def test_a6_a_wrong_mschap_response_is_told_what_was_wrong(
    bench: Bench, username: str, method: str, challenge_digits: int
) -> None:
    errors = []
    for identifier in (1, 2):
        reply = bench.login(METHODS[method](username, "wrong", identifier=identifier))
        assert reply.code == ACCESS_REJECT
        (error,) = reply.of_vendor(MICROSOFT, oracle.MS_CHAP_ERROR)
        errors.append(error)
        assert error[0] == 5  # the ident of the response
        words = dict(word.split("=") for word in error[1:].decode("ascii").split(" "))
        assert (words["E"], words["R"], words["V"]) == ("691", "0", "3")
        assert len(words["C"]) == challenge_digits
        assert set(words["C"]) <= set("0123456789ABCDEF")
    assert errors[0] != errors[1]  # a fresh challenge each time


def test_the_oracle_agrees_with_the_examples_of_the_standards() -> None:
    # RFC 2759 §9.2, and RFC 3079 §3.5.3 for the server's send key
    response = oracle.mschap2(0, CHALLENGE, PEER, b"User", "clientPass")[26:]
    assert response.hex() == "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"
    assert oracle.success(CHALLENGE, PEER, b"User", "clientPass") == b"S=407A5589115FD0D6209F510FE9C04566932CDA56"
    assert oracle.mppe_keys(response, "clientPass")[0].hex() == "8b7cdc149b993a1ba118cb153f56dccb"
    # RFC 2865 §7.1
    authenticator = bytes.fromhex("0f403f9473978057bd83d5cb98f4227a")
    assert oracle.hide(b"arctangent", b"xyzzy5461", authenticator).hex() == "0dbe708d93d413ce3196e43f782a0aee"
