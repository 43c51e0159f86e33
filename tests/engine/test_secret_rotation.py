"""A secret is changed while the router is at work: nothing goes unanswered, and each reply fits its request."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from radiuscore import MessageAuthenticatorPolicy, Nas
from radiuscore.wire.errors import Discard
from tests.protocol.asks import chap, mschap2, pap, report
from tests.protocol.bench import ONE, SHARED, TWO, Bench
from tests.protocol.oracle import ACCESS_ACCEPT, ACCESS_REJECT

A = Nas(SHARED, ONE, isp_id=1, id=12)
B = Nas(SHARED, TWO, isp_id=2, id=22)


class TestASecretIsChanged:
    """The device has a new secret; its router has the old one, then the new one, then the old one is gone."""

    OLD, NEW = b"old secret", b"new secret"
    BOTH = replace(A, secret=NEW, outgoing_secret=OLD)

    @pytest.mark.parametrize("secret", [OLD, NEW])
    @pytest.mark.parametrize("ask", [pap, chap, mschap2])
    def test_signed_requests_are_answered_with_the_secret_they_were_made_with(
        self, ask: Callable[..., bytes], secret: bytes
    ) -> None:
        bench = Bench([self.BOTH])
        assert bench.login(ask(secret=secret, identifier=1), SHARED, secret).code == ACCESS_ACCEPT
        assert bench.login(ask("anna", "wrong", secret=secret, identifier=2), SHARED, secret).code == ACCESS_REJECT
        assert bench.auth(ask(secret=b"a third", identifier=3), SHARED) is Discard.BAD_MESSAGE_AUTHENTICATOR

    @pytest.mark.parametrize("secret", [OLD, NEW])
    def test_unsigned_passwords_are_read_with_both(self, secret: bytes) -> None:
        bench = Bench([self.BOTH])
        assert bench.login(pap(secret=secret, sign=False, identifier=1), SHARED, secret).code == ACCESS_ACCEPT
        # What is wrong is answered with the secret that was right last.
        wrong = pap("anna", "wrong", secret=secret, sign=False, identifier=2)
        assert bench.login(wrong, SHARED, secret).code == ACCESS_REJECT

    @pytest.mark.parametrize("secret", [OLD, NEW])
    def test_accounting_is_acknowledged_with_the_secret_it_was_made_with(self, secret: bytes) -> None:
        Bench([self.BOTH]).acknowledged(report(secret=secret), SHARED, secret)

    @pytest.mark.parametrize("secret", [OLD, NEW])
    @pytest.mark.parametrize("proof", ["accounting", "a password", "a signed login"])
    def test_unsigned_chap_is_answered_with_the_secret_that_was_used_last(self, secret: bytes, proof: str) -> None:
        bench = Bench([replace(self.BOTH, require_message_authenticator=MessageAuthenticatorPolicy.NO)])
        match proof:
            case "accounting":
                bench.acknowledged(report(secret=secret), SHARED, secret)
            case "a password":
                bench.login(pap(secret=secret, sign=False, identifier=1), SHARED, secret)
            case _:
                bench.login(pap(secret=secret, identifier=1), SHARED, secret)
        assert bench.login(chap(secret=secret, sign=False, identifier=2), SHARED, secret).code == ACCESS_ACCEPT

    def test_a_whole_rotation_loses_no_login(self) -> None:
        bench = Bench([replace(A, secret=self.OLD)])
        logins: Iterator[int] = iter(range(200))

        def logs_in(secret: bytes) -> None:
            for ask in (chap, pap):
                reply = bench.login(ask(secret=secret, sign=False, identifier=next(logins)), SHARED, secret)
                assert reply.code == ACCESS_ACCEPT

        logs_in(self.OLD)
        both = bench.change(self.BOTH)
        logs_in(self.OLD)  # before the router has said anything that proves which it uses
        renamed = bench.change(both, name="renamed meanwhile")
        logs_in(self.OLD)
        bench.acknowledged(report(secret=self.NEW), SHARED, self.NEW)
        logs_in(self.NEW)
        bench.change(renamed, outgoing_secret=None)
        logs_in(self.NEW)
        assert bench.acct(report(3, secret=self.OLD, identifier=9), SHARED) is Discard.BAD_AUTHENTICATOR

    def test_both_secrets_gone_neither_is_used(self) -> None:
        bench = Bench([self.BOTH])
        bench.acknowledged(report(secret=self.OLD), SHARED, self.OLD)
        bench.change(A, secret=b"a third", outgoing_secret=b"a fourth")
        assert bench.login(pap(secret=b"a third", sign=False), SHARED, b"a third").code == ACCESS_ACCEPT

    @pytest.mark.parametrize("secret", [OLD, NEW])
    def test_beside_a_neighbour(self, secret: bytes) -> None:
        bench = Bench([self.BOTH, B])
        bench.acknowledged(report(secret=secret), SHARED, secret)
        for ask in (
            chap(secret=secret, sign=False, identifier=1),
            pap(secret=secret, sign=False, identifier=2),
            pap(secret=secret, identifier=3),
        ):
            assert bench.login(ask, SHARED, secret).code == ACCESS_ACCEPT
