"""Two ISPs at one address: neither mutes the other, and neither learns anything of him."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from radiuscore import Nas
from radiuscore.aaa.changes import NasChange
from radiuscore.aaa.records import CustomerId
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import chap, mschap2, pap, report
from tests.protocol.bench import NOW, ONE, PASSWORD, SHARED, TWO, Bench, customer
from tests.protocol.oracle import ACCESS_ACCEPT, ACCESS_REJECT, read_reply

A = Nas(SHARED, ONE, isp_id=1, id=12)
B = Nas(SHARED, TWO, isp_id=2, id=22)
EARLIER = NOW - 200


def asked(bench: Bench) -> tuple[int, int]:
    """Return the ISP and device that the last login was attributed to."""
    return bench.logins[-1].isp_id, bench.logins[-1].nas_id


class TestANeighbour:
    """ISP 2 enters the address of ISP 1's router, in every way it can."""

    def test_mutes_nobody_who_has_proved_himself(self) -> None:
        bench = Bench([A])
        bench.acknowledged(report(), SHARED)
        for number in range(60):
            bench.nases.apply(NasChange(2, number, Nas(SHARED, b"guess %d" % number, isp_id=2, id=number)))
        for ask in (pap(identifier=1), chap(identifier=2), mschap2(identifier=3)):
            assert bench.login(ask, SHARED).code == ACCESS_ACCEPT
        bench.acknowledged(report(3, identifier=8), SHARED)

    def test_mutes_nobody_who_does_not_sign(self) -> None:
        bench = Bench([A, B])
        bench.acknowledged(report(), SHARED)
        for identifier, ask in enumerate((pap, chap)):
            assert bench.login(ask(sign=False, identifier=identifier), SHARED).code == ACCESS_ACCEPT

    def test_who_was_there_before_does_not_crowd_out_who_comes(self) -> None:
        """His are more than are tried, all proved; the one device of ISP 1 has sent nothing yet."""
        many = [Nas(SHARED, b"his %d" % number, isp_id=0, id=number, proved_at=EARLIER) for number in range(1, 200)]
        bench = Bench([*many, A])
        bench.acknowledged(report(), SHARED)
        assert bench.login(pap(), SHARED).code == ACCESS_ACCEPT

    def test_does_not_crowd_out_devices_that_have_proved_themselves(self) -> None:
        """ISP 1 has many routers behind one address, each with a secret of its own; the neighbour enters as many."""
        mine = [replace(A, id=number, secret=b"mine %d" % number) for number in range(1, 31)]
        bench = Bench([replace(one, proved_at=EARLIER + one.id) for one in mine])
        for number in range(100):
            bench.nases.apply(NasChange(2, number, Nas(SHARED, b"guess %d" % number, isp_id=2, id=number)))
        for one in mine:
            bench.acknowledged(report(secret=one.secret, identifier=one.id), SHARED, one.secret)

    @pytest.mark.parametrize("prefix", ["192.168.88.1/32", "192.168.88.0/30", "192.168.88.0/25"])
    def test_a_more_exact_prefix_takes_nothing_over(self, prefix: str) -> None:
        mine = replace(A, sources="192.168.88.0/24")
        bench = Bench([mine, replace(B, sources=prefix)])
        assert bench.login(pap(), SHARED).code == ACCESS_ACCEPT
        assert bench.login(pap("anna", PASSWORD[2], secret=TWO), SHARED, TWO).code == ACCESS_ACCEPT

    def test_a_proof_at_his_own_address_counts_for_nothing_at_another(self) -> None:
        both = Nas(["203.0.113.7", SHARED], TWO, isp_id=2, id=22, proved_at=EARLIER)
        bench = Bench([A, both])
        bench.acknowledged(report(secret=TWO), "203.0.113.7", TWO)
        bench.pass_time(1)
        bench.acknowledged(report(), SHARED)
        assert bench.login(pap(sign=False), SHARED).code == ACCESS_ACCEPT
        assert asked(bench) == (1, 12)

    def test_a_proof_in_a_prefix_counts_for_its_address_only(self) -> None:
        mine, his = replace(A, sources="10.7.0.0/24"), replace(B, sources="10.7.0.0/24")
        bench = Bench([mine, his])
        bench.acknowledged(report(secret=TWO), "10.7.0.1", TWO)
        bench.pass_time(1)
        bench.acknowledged(report(), "10.7.0.2")
        assert bench.login(pap(sign=False), "10.7.0.2").code == ACCESS_ACCEPT
        assert bench.login(pap("anna", PASSWORD[2], secret=TWO, sign=False), "10.7.0.1", TWO).code == ACCESS_ACCEPT
        assert [(fact.isp_id, ip_address(fact.address)) for fact in bench.proved] == [
            (2, ip_address("10.7.0.1")),
            (1, ip_address("10.7.0.2")),
        ]

    def test_cannot_mute_a_prefix_by_naming_one_of_its_addresses_not_even_after_a_restart(self) -> None:
        """What was proved is in the record that a worker loads; the neighbour's single address proves nothing."""
        proofs = ((ip_address("10.7.0.5").packed, 5.0),)
        mine = replace(A, sources="10.7.0.0/24", address_proofs=proofs)
        for his in (replace(B, sources="10.7.0.5/32"), replace(B, sources="10.7.0.5/32", proved_at=6.0)):
            bench = Bench([mine, his])
            assert bench.login(pap(sign=False), "10.7.0.5").code == ACCESS_ACCEPT
            assert {row.isp_id for row in bench.logins} == {1}

    def test_without_a_secret_is_not_there_at_all(self) -> None:
        bench = Bench([A, replace(B, secret=b"")])
        assert bench.login(pap(sign=False), SHARED).code == ACCESS_ACCEPT
        assert Bench([replace(B, secret=b"")]).auth(pap(sign=False), SHARED) is Discard.NO_SECRET
        assert Bench([replace(B, secret=b"")]).acct(report(), SHARED) is Discard.NO_SECRET

    def test_learns_nothing_of_logins_sessions_or_secrets(self) -> None:
        bench = Bench([A, B])
        bench.acknowledged(report(), SHARED)
        for identifier in range(5):
            bench.login(pap(identifier=identifier), SHARED)
        assert {row.isp_id for row in bench.logins} == {1}
        assert {event.isp_id for event in bench.recorded.events} == {1}
        assert bench.engine.auth.counters.device_discards == {}
        assert {fact.isp_id for fact in bench.proved} == {fact.isp_id for fact in bench.signed} == {1}

    def test_whose_secret_is_equal_sees_what_he_would_see_were_it_not(self) -> None:
        """His own router's requests land with who was first; he is told of none of them, either way."""
        seen = []
        for secret in (TWO, ONE):
            bench = Bench([replace(A, proved_at=EARLIER), replace(B, secret=secret)])
            bench.login(pap(identifier=1), SHARED)
            bench.acknowledged(report(), SHARED)
            seen.append((bench.engine.auth.counters.device_discards, [row for row in bench.logins if row.isp_id == 2]))
        assert seen[0] == seen[1] == ({}, [])

    def test_cannot_push_out_a_request_in_flight(self) -> None:
        bench = Bench([A, B])
        mine = bench.acct_pending(report(), SHARED)
        bench.acct(report(secret=TWO), SHARED)  # the same source port and identifier
        assert not isinstance(mine, bytes | Discard)
        assert read_reply(mine.finish(None), report(), ONE).code == oracle.ACCOUNTING_RESPONSE


@pytest.mark.parametrize("method", [pap, chap, mschap2])
def test_a_customer_of_one_isp_is_unknown_at_the_other_and_nothing_tells_that_he_exists(
    method: Callable[..., bytes],
) -> None:
    bench = Bench(customers=[customer("berta"), customer("anna", 2)])
    replies = []
    for identifier, username in enumerate(("berta", "nobody")):
        ask = method(username, PASSWORD[1], secret=TWO, identifier=identifier)
        reply = bench.login(ask, "10.0.0.2", TWO)
        assert reply.code == ACCESS_REJECT
        assert bench.reason == "unknown_user"
        replies.append([(kind, len(value)) for kind, value in reply.attributes])
    assert replies[0] == replies[1]
    known: set[CustomerId | None] = {row.customer_id for row in bench.logins}
    assert (known, {row.isp_id for row in bench.logins}) == ({None}, {2})
    assert bench.login(method("berta", identifier=9)).code == ACCESS_ACCEPT
