"""Which NAS, which ISP: the source address and the secret that verifies the packet decide, and nothing it says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from radiuscore import Accept, MessageAuthenticatorPolicy, Nas, RadiusServer
from radiuscore.aaa.changes import NasChange
from radiuscore.aaa.devices import DeviceProved
from radiuscore.state.nastable import MAX_TRIES
from radiuscore.wire.errors import Discard
from radiuscore.wire.secret import SharedSecret
from tests.protocol import oracle
from tests.protocol.asks import chap, mschap2, pap, report
from tests.protocol.bench import NOW, ONE, PASSWORD, SHARED, TWO, Bench, octets_of
from tests.protocol.oracle import ACCESS_ACCEPT, PROXY_STATE, attribute, read_reply, request

A = Nas(SHARED, ONE, isp_id=1, id=12)
B = Nas(SHARED, TWO, isp_id=2, id=22)
ADDRESS = octets_of(SHARED, 0)[2:]
EARLIER, LATER = NOW - 200, NOW - 100
UNSIGNED = [pytest.param(pap, id="pap"), pytest.param(chap, id="chap")]


def named(name: str) -> bytes:
    return attribute(oracle.NAS_IDENTIFIER, name)


def asked(bench: Bench) -> tuple[int, int]:
    """Return the ISP and device that the last login was attributed to."""
    return bench.logins[-1].isp_id, bench.logins[-1].nas_id


@contextmanager
def secrets_tried(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Collect the secret of every digest by which a packet is verified."""
    tried: list[bytes] = []

    def noting(digest: Callable[[SharedSecret, bytes], bytes]) -> Callable[[SharedSecret, bytes], bytes]:
        def note(secret: SharedSecret, *parts: bytes) -> bytes:
            tried.append(secret.octets)
            return digest(secret, *parts)

        return note

    with monkeypatch.context() as patch:
        for name in ("hmac_md5", "md5_before"):
            patch.setattr(SharedSecret, name, noting(getattr(SharedSecret, name)))
        yield tried


class TestOneCandidate:
    @pytest.mark.parametrize("sign", [True, False])
    @pytest.mark.parametrize("method", UNSIGNED)
    def test_it_is_the_nas(self, method: Callable[..., bytes], sign: bool) -> None:
        bench = Bench([A])
        assert bench.login(method(sign=sign), SHARED).code == ACCESS_ACCEPT
        assert asked(bench) == (1, 12)

    def test_of_one_isp_the_longest_prefix_counts(self) -> None:
        wider = [Nas("192.168.0.0/16", TWO, isp_id=1, id=1), Nas("192.168.88.0/24", TWO, isp_id=1, id=2)]
        bench = Bench([*wider, A])
        assert bench.login(pap(), SHARED).code == ACCESS_ACCEPT
        assert bench.auth(pap(secret=TWO, identifier=8), SHARED) is Discard.BAD_MESSAGE_AUTHENTICATOR
        assert bench.login(pap(secret=TWO), "192.168.88.2", TWO).code == ACCESS_ACCEPT
        assert asked(bench) == (1, 2)

    @pytest.mark.parametrize("source", ["2001:db8::1", "2001:db8:0:0:ffff::1"])
    def test_ipv6(self, source: str) -> None:
        bench = Bench([Nas("2001:db8::/64", ONE, isp_id=1, id=12), Nas("0.0.0.0/0", TWO, isp_id=1, id=13)])
        assert bench.login(pap(), source).code == ACCESS_ACCEPT
        assert bench.auth(pap(), "2001:db8:0:1::1") is Discard.UNKNOWN_NAS


class TestSeveralSecrets:
    @pytest.mark.parametrize("ask", [pap, chap, mschap2])
    def test_the_one_that_verifies_the_packet_decides(self, ask: Callable[..., bytes]) -> None:
        bench = Bench([A, B])
        for isp_id, secret in ((1, ONE), (2, TWO), (2, TWO), (1, ONE)):
            bench.pass_time(30)
            reply = bench.login(ask("anna", PASSWORD[isp_id], secret=secret), SHARED, secret)
            assert reply.code == ACCESS_ACCEPT
            assert asked(bench) == {1: (1, 12), 2: (2, 22)}[isp_id]
        assert bench.auth(ask(secret=b"neither"), SHARED) is Discard.BAD_MESSAGE_AUTHENTICATOR

    def test_accounting_goes_to_the_isp_whose_secret_made_its_authenticator(self) -> None:
        bench = Bench([A, B])
        bench.acknowledged(report(), SHARED)
        bench.acknowledged(report(secret=TWO), SHARED, TWO)
        assert [(event.isp_id, event.nas_id) for event in bench.recorded.events] == [(1, 12), (2, 22)]
        assert bench.acct(report(secret=b"neither"), SHARED) is Discard.BAD_AUTHENTICATOR

    def test_the_last_one_that_verified_is_tried_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = Bench([A, B, Nas(SHARED, b"third", isp_id=1, id=13)])
        for secret in (TWO, b"third", ONE, TWO):
            bench.acknowledged(report(secret=secret), SHARED, secret)
            with secrets_tried(monkeypatch) as tried:
                bench.acknowledged(report(3, secret=secret, identifier=9), SHARED, secret)
            assert tried == [secret]

    def test_a_source_remembers_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One prefix, two routers in it: each address has its own last secret."""
        bench = Bench([replace(A, sources="10.1.0.0/24"), replace(B, sources="10.1.0.0/24")])
        sources = {"10.1.0.1": ONE, "10.1.0.2": TWO}
        for source, secret in sources.items():
            bench.acknowledged(report(secret=secret), source, secret)
        for source, secret in sources.items():
            with secrets_tried(monkeypatch) as tried:
                bench.acknowledged(report(3, secret=secret, identifier=9), source, secret)
            assert tried == [secret]

    def test_at_most_32_are_tried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = Bench(Nas(SHARED, b"secret %d" % number, isp_id=1, id=number) for number in range(1, 41))
        with secrets_tried(monkeypatch) as tried:
            assert bench.acct(report(secret=b"none of them"), SHARED) is Discard.BAD_AUTHENTICATOR
        assert len(tried) == len(set(tried)) == MAX_TRIES == 32

    def test_one_secret_is_tried_once_however_many_have_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bench = Bench([*(replace(A, id=number) for number in range(50, 150)), B])
        with secrets_tried(monkeypatch) as tried:
            assert bench.auth(pap(secret=b"none"), SHARED) is Discard.BAD_MESSAGE_AUTHENTICATOR
        assert sorted(tried) == sorted([ONE, TWO])


class TestEqualSecretsWithinOneIsp:
    NORTH = replace(A, id=31, nas_identifier="north")
    SOUTH = replace(A, id=32, nas_identifier="south")

    @pytest.mark.parametrize("sign", [True, False])
    @pytest.mark.parametrize("method", UNSIGNED)
    def test_nas_identifier_tells_which_device(self, method: Callable[..., bytes], sign: bool) -> None:
        bench = Bench([self.NORTH, self.SOUTH])
        for name, nas_id in (("south", 32), ("north", 31)):
            ask = method("anna", PASSWORD[1], named(name), sign=sign, identifier=nas_id)
            assert bench.login(ask, SHARED).code == ACCESS_ACCEPT
            assert asked(bench) == (1, nas_id)

    def test_nas_identifier_tells_which_device_reports(self) -> None:
        bench = Bench([self.NORTH, self.SOUTH])
        bench.acknowledged(report(1, named("south")), SHARED)
        bench.acknowledged(report(1, named("north"), identifier=8), SHARED)
        assert [event.nas_id for event in bench.recorded.events] == [32, 31]

    @pytest.mark.parametrize("more", [[], [named("west")], [named("")], [named("NORTH")]])
    @pytest.mark.parametrize("sign", [True, False])
    def test_without_a_name_that_is_known_it_is_the_first_to_prove_itself(self, more: list[bytes], sign: bool) -> None:
        bench = Bench([self.NORTH, replace(self.SOUTH, proved_at=EARLIER)])
        assert bench.login(pap("anna", PASSWORD[1], *more, sign=sign), SHARED).code == ACCESS_ACCEPT
        assert asked(bench) == (1, 32)

    @pytest.mark.parametrize("method", UNSIGNED)
    def test_without_name_or_proof_it_is_one_of_them_for_the_secret_is_the_same(
        self, method: Callable[..., bytes]
    ) -> None:
        bench = Bench([self.NORTH, self.SOUTH])
        assert bench.login(method(sign=False), SHARED).code == ACCESS_ACCEPT

    def test_the_name_counts_within_the_isp_that_the_secret_selected(self) -> None:
        bench = Bench([self.NORTH, replace(B, nas_identifier="south")])
        bench.login(pap("anna", PASSWORD[1], named("south")), SHARED)
        assert asked(bench) == (1, 31)

    @pytest.mark.parametrize("method", UNSIGNED)
    def test_with_secrets_of_their_own_a_name_tells_the_unsigned_apart(self, method: Callable[..., bytes]) -> None:
        bench = Bench([self.NORTH, replace(self.SOUTH, secret=TWO)])
        ask = method("anna", PASSWORD[1], named("south"), secret=TWO, sign=False)
        assert bench.login(ask, SHARED, TWO).code == ACCESS_ACCEPT
        unproved = Bench([self.NORTH, replace(self.SOUTH, secret=TWO)])
        assert unproved.auth(method(sign=False), SHARED) is Discard.AMBIGUOUS_NAS


class TestEqualSecretsOfTwoIsps:
    SAME = replace(B, secret=ONE)

    @pytest.mark.parametrize("ask", [pap(), chap(), pap(sign=False), chap(sign=False), report(), report(sign=True)])
    def test_nobody_has_proved_himself_so_it_is_ambiguous(self, ask: bytes) -> None:
        bench = Bench([A, self.SAME])
        handle = bench.acct if ask[0] == oracle.ACCOUNTING_REQUEST else bench.auth
        assert handle(ask, SHARED) is Discard.AMBIGUOUS_NAS
        assert (bench.logins, bench.recorded.events, bench.proved, bench.signed) == ([], [], [], [])

    def test_both_are_told(self) -> None:
        bench = Bench([A, self.SAME])
        bench.auth(pap(), SHARED)
        assert bench.engine.auth.counters.device_discards == {
            (1, 12, Discard.AMBIGUOUS_NAS): 1,
            (2, 22, Discard.AMBIGUOUS_NAS): 1,
        }

    @pytest.mark.parametrize("first", [1, 2])
    @pytest.mark.parametrize("ask", [pap, chap])
    @pytest.mark.parametrize("sign", [True, False])
    def test_it_goes_to_the_one_that_was_proved_first(self, ask: Callable[..., bytes], sign: bool, first: int) -> None:
        at = {first: EARLIER, 3 - first: LATER}
        bench = Bench([replace(A, proved_at=at[1]), replace(self.SAME, proved_at=at[2])])
        assert bench.login(ask("anna", PASSWORD[first], sign=sign), SHARED).code == ACCESS_ACCEPT
        assert asked(bench)[0] == first

    def test_one_that_never_proved_itself_comes_last(self) -> None:
        bench = Bench([A, replace(self.SAME, proved_at=NOW)])
        bench.acknowledged(report(), SHARED)
        assert bench.recorded.events[0].isp_id == 2

    def test_within_the_isp_that_was_first_the_name_tells(self) -> None:
        bench = Bench([replace(A, proved_at=EARLIER), replace(A, id=13, nas_identifier="south"), self.SAME])
        bench.login(pap("anna", PASSWORD[1], named("south")), SHARED)
        assert asked(bench) == (1, 13)

    def test_what_verifies_for_two_proves_and_latches_nobody(self) -> None:
        bench = Bench([replace(A, proved_at=EARLIER), self.SAME])
        for ask in (pap(), report()):
            (bench.auth if ask[0] == 1 else bench.acct)(ask, SHARED)
        assert (bench.proved, bench.signed) == ([], [])

    def test_an_outgoing_secret_is_a_secret_as_any(self) -> None:
        bench = Bench([A, replace(B, outgoing_secret=ONE)])
        assert bench.auth(pap(), SHARED) is Discard.AMBIGUOUS_NAS
        assert bench.login(pap("anna", PASSWORD[2], secret=TWO), SHARED, TWO).code == ACCESS_ACCEPT


@pytest.mark.parametrize("method", UNSIGNED)
class TestWhatProvesNothing:
    def test_it_is_ambiguous_while_nobody_has_proved_himself(self, method: Callable[..., bytes]) -> None:
        bench = Bench([A, B])
        assert bench.auth(method(sign=False), SHARED) is Discard.AMBIGUOUS_NAS
        assert bench.logins == []

    @pytest.mark.parametrize("first", [1, 2])
    def test_it_goes_to_the_one_that_was_proved_first(self, method: Callable[..., bytes], first: int) -> None:
        at = {first: EARLIER, 3 - first: LATER}
        secret = {1: ONE, 2: TWO}[first]
        bench = Bench([replace(A, proved_at=at[1]), replace(B, proved_at=at[2])])
        ask = method("anna", PASSWORD[first], secret=secret, sign=False)
        assert bench.login(ask, SHARED, secret).code == ACCESS_ACCEPT
        assert asked(bench)[0] == first

    def test_a_verified_packet_is_a_proof(self, method: Callable[..., bytes]) -> None:
        bench = Bench([A, B])
        bench.acknowledged(report(secret=TWO), SHARED, TWO)
        bench.pass_time(1)
        bench.acknowledged(report(), SHARED)
        ask = method("anna", PASSWORD[2], secret=TWO, sign=False)
        assert bench.login(ask, SHARED, TWO).code == ACCESS_ACCEPT
        assert asked(bench) == (2, 22)
        assert bench.proved == [DeviceProved(2, 22, NOW, ADDRESS), DeviceProved(1, 12, NOW + 1, ADDRESS)]


class TestWidePrefixes:
    @pytest.mark.parametrize(
        ("prefix", "source", "must_sign"),
        [
            ("10.9.8.0/24", "10.9.8.7", False),
            ("10.9.8.0/23", "10.9.8.7", True),
            ("0.0.0.0/0", "10.9.8.7", True),
            ("2001:db8::/48", "2001:db8::7", False),
            ("2001:db8::/47", "2001:db8::7", True),
            ("::/0", "2001:db8::7", True),
        ],
    )
    @pytest.mark.parametrize("policy", [MessageAuthenticatorPolicy.AUTO, MessageAuthenticatorPolicy.NO])
    def test_must_sign_whatever_was_set(
        self, policy: MessageAuthenticatorPolicy, prefix: str, source: str, must_sign: bool
    ) -> None:
        bench = Bench([Nas(prefix, ONE, isp_id=1, id=1, require_message_authenticator=policy)])
        for method in (pap, chap):
            outcome = bench.auth(method(sign=False), source)
            assert (outcome is Discard.MISSING_MESSAGE_AUTHENTICATOR) == must_sign
        assert bench.login(pap(identifier=8), source).code == ACCESS_ACCEPT


class TestWhatIsReported:
    def test_a_proof_is_reported_once(self) -> None:
        bench = Bench([A])
        for identifier in range(5):
            bench.acknowledged(report(identifier=identifier), SHARED)
            bench.login(pap(identifier=identifier), SHARED)
            bench.pass_time(1)
        assert bench.proved == [DeviceProved(1, 12, NOW, ADDRESS)]
        assert len(bench.signed) == 1

    def test_what_is_stored_is_not_reported_again(self) -> None:
        bench = Bench([replace(A, proved_at=EARLIER, message_authenticator_seen=True)])
        bench.acknowledged(report(), SHARED)
        bench.login(pap(), SHARED)
        assert (bench.proved, bench.signed) == ([], [])

    def test_a_right_password_proves_the_secret_that_hid_it(self) -> None:
        bench = Bench([A])
        bench.login(pap(sign=False), SHARED)
        assert bench.proved == [DeviceProved(1, 12, NOW, ADDRESS)]

    @pytest.mark.parametrize(
        "ask",
        [
            pap("anna", "wrong", sign=False),
            pap("otto", sign=False),
            pap(secret=b"wrong", sign=False),
            chap(sign=False),
            request(attribute(1, "anna")),
        ],
    )
    def test_what_proves_no_secret_proves_nothing(self, ask: bytes) -> None:
        bench = Bench([A])
        bench.auth(ask, SHARED)
        assert bench.proved == []

    def test_a_right_password_proves_nothing_beside_a_neighbour(self) -> None:
        """He may have entered the same secret, and sent his own customer's password."""
        bench = Bench([replace(A, proved_at=EARLIER), B])
        bench.login(pap(sign=False), SHARED)
        assert bench.proved == []
        bench.nases.apply(NasChange(1, 13, replace(A, id=13, nas_identifier="south")))
        bench.login(pap("anna", PASSWORD[1], named("south"), sign=False, identifier=8), SHARED)
        assert (asked(bench), bench.proved) == ((1, 13), [])

    def test_a_handler_that_asks_for_no_password_proves_nobody(self) -> None:
        server = RadiusServer([Nas("10.0.0.1", ONE)])
        server.on_access(lambda _: Accept())
        ask = pap(secret=b"wrong", sign=False)
        read_reply(server.handle(ask, ("10.0.0.1", 40001)), ask, ONE)
        entry = server.engine.nases.get(1, 1)
        assert entry is not None
        assert entry.proved_at is None


def test_limit_proxy_state_is_that_of_the_device_meant() -> None:
    bench = Bench([replace(A, limit_proxy_state=False, proved_at=EARLIER), B])
    states = attribute(PROXY_STATE, b"x")
    assert bench.login(pap("anna", PASSWORD[1], states, sign=False), SHARED).code == ACCESS_ACCEPT
    bench.change(A, proved_at=EARLIER)
    assert bench.auth(pap("anna", PASSWORD[1], states, sign=False, identifier=8), SHARED) is (
        Discard.PROXY_STATE_UNSIGNED
    )


def test_swap_octets_is_that_of_the_device_meant() -> None:
    bench = Bench([replace(A, swap_octets=True), B])
    for secret in (ONE, TWO):
        bench.acknowledged(report(3, attribute(42, 1), attribute(43, 2), secret=secret), SHARED, secret)
    assert [(event.input_octets, event.output_octets) for event in bench.recorded.events] == [(2, 1), (1, 2)]
