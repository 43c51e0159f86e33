"""Devices come, go and change: whoever asks sees all of a change or nothing, and what a fresh table would say."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from math import inf
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from radiuscore.aaa.changes import NasChange
from radiuscore.aaa.records import MessageAuthenticatorPolicy, Nas
from radiuscore.state import nastable
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import MAX_TRIES, Candidates, NasEntry, NasTable
from radiuscore.wire.secret import SharedSecret

NOW = Moment(1.0, 1000.0)


def packed(address: str) -> bytes:
    return ip_address(address).packed


def devices(table: NasTable, address: str) -> list[tuple[int, int]]:
    found = table.find(packed(address))
    return [(entry.nas.isp_id, entry.nas.id) for entry in found.entries] if found is not None else []


def put(table: NasTable, nas: Nas) -> None:
    table.apply(NasChange(nas.isp_id, nas.id, nas))


ROUTER = Nas("10.0.0.1", b"secret", isp_id=1, id=1)


def test_a_device_that_is_added_is_found_and_one_that_is_removed_is_not() -> None:
    table = NasTable()
    assert devices(table, "10.0.0.1") == []
    put(table, ROUTER)
    assert (devices(table, "10.0.0.1"), len(table)) == ([(1, 1)], 1)
    table.apply(NasChange(1, 1, None))
    assert (devices(table, "10.0.0.1"), len(table)) == ([], 0)
    table.apply(NasChange(1, 1, None))  # gone already
    assert table.get(1, 1) is None


def test_a_device_that_moves_leaves_its_old_address() -> None:
    table = NasTable([ROUTER])
    put(table, replace(ROUTER, sources=["10.0.0.2", "10.1.0.0/24"]))
    assert devices(table, "10.0.0.1") == []
    assert devices(table, "10.0.0.2") == devices(table, "10.1.0.200") == [(1, 1)]
    put(table, replace(ROUTER, sources="10.1.0.0/25"))
    assert devices(table, "10.1.0.200") == devices(table, "10.0.0.2") == []
    assert devices(table, "10.1.0.100") == [(1, 1)]


def test_an_address_given_twice_is_one_address() -> None:
    table = NasTable([replace(ROUTER, sources=["10.0.0.1", "10.0.0.1/32"])])
    assert devices(table, "10.0.0.1") == [(1, 1)]
    table.apply(NasChange(1, 1, None))
    assert devices(table, "10.0.0.1") == []


def test_of_each_isp_the_devices_of_its_longest_prefix_are_candidates() -> None:
    table = NasTable(
        [
            Nas("10.0.0.0/8", b"a", isp_id=1, id=1),
            Nas("10.0.0.0/24", b"b", isp_id=1, id=2),
            Nas("10.0.0.0/24", b"c", isp_id=1, id=3),
            Nas("10.0.0.7", b"d", isp_id=2, id=4),
            Nas("10.0.0.0/16", b"e", isp_id=2, id=5),
            Nas("0.0.0.0/0", b"f", isp_id=3, id=6),
        ]
    )
    assert devices(table, "10.0.0.7") == [(1, 2), (1, 3), (2, 4), (3, 6)]
    assert devices(table, "10.0.0.8") == [(1, 2), (1, 3), (2, 5), (3, 6)]
    assert devices(table, "10.9.0.8") == [(1, 1), (3, 6)]
    assert devices(table, "11.0.0.8") == [(3, 6)]
    assert devices(table, "::1") == []


def test_nobody_ever_sees_half_of_a_snapshot() -> None:
    table = NasTable([ROUTER])

    def broken() -> Iterator[Nas]:
        yield Nas("10.0.0.2", b"secret", isp_id=1, id=2)
        raise OSError("the database went away")

    with pytest.raises(OSError, match="went away"):
        table.load(broken())
    assert devices(table, "10.0.0.1") == [(1, 1)]
    assert devices(table, "10.0.0.2") == []
    table.load([Nas("10.0.0.2", b"secret", isp_id=1, id=2)])
    assert devices(table, "10.0.0.1") == []


def test_a_proof_is_worth_storing_once_and_for_its_address_only() -> None:
    table = NasTable([ROUTER, replace(ROUTER, id=2, sources=["10.0.0.1", "10.0.0.2"])])
    one, two = (table.get(1, number) for number in (1, 2))
    assert one is not None
    assert two is not None
    assert [table.proved(packed("10.0.0.1"), one, NOW) for _ in range(2)] == [True, False]
    assert [table.proved(packed("10.0.0.2"), two, NOW) for _ in range(2)] == [True, False]
    assert table.proved_at(packed("10.0.0.1"), one) == table.proved_at(packed("10.0.0.2"), two) == 1000.0
    assert table.proved_at(packed("10.0.0.1"), two) == inf


def test_a_stored_proof_counts_at_its_address_after_a_restart() -> None:
    wide = replace(ROUTER, id=2, sources="10.0.0.0/24", address_proofs=((packed("10.0.0.1"), 5.0),))
    table = NasTable([replace(ROUTER, isp_id=2), wide])
    assert devices(table, "10.0.0.1") == [(1, 2), (2, 1)]
    entry = table.get(1, 2)
    assert entry is not None
    assert not table.proved(packed("10.0.0.1"), entry, NOW)
    assert table.proved_at(packed("10.0.0.3"), entry) == inf


def test_a_device_that_moves_leaves_its_proofs_behind() -> None:
    wide = replace(ROUTER, sources="10.0.0.0/24")
    table = NasTable([wide])
    entry = table.get(1, 1)
    assert entry is not None
    table.proved(packed("10.0.0.1"), entry, NOW)
    put(table, replace(wide, name="renamed"))
    renamed = table.get(1, 1)
    assert renamed is not None
    assert table.proved_at(packed("10.0.0.1"), renamed) == 1000.0
    put(table, replace(wide, sources="10.0.0.0/25"))
    moved = table.get(1, 1)
    assert moved is not None
    assert table.proved_at(packed("10.0.0.1"), moved) == inf


def test_whoever_proved_himself_first_comes_first_from_then_on() -> None:
    table = NasTable([ROUTER, replace(ROUTER, isp_id=2)])
    assert devices(table, "10.0.0.1") == [(1, 1), (2, 1)]
    second = table.get(2, 1)
    assert second is not None
    table.proved(packed("10.0.0.1"), second, NOW)
    assert devices(table, "10.0.0.1") == [(2, 1), (1, 1)]
    put(table, replace(ROUTER, proved_at=999.0))  # what another process stored of the first
    assert devices(table, "10.0.0.1") == [(1, 1), (2, 1)]


def test_strangers_leave_nothing_behind() -> None:
    table = NasTable([ROUTER])
    for number in range(1000):
        assert table.find(number.to_bytes(4, "big")) is None
    assert table._resolved == {}


def test_what_is_remembered_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nastable, "MAX_ADDRESSES", 100)
    monkeypatch.setattr(nastable, "MAX_PROOFS", 100)
    table = NasTable([replace(ROUTER, sources="10.0.0.0/16")])
    entry = table.get(1, 1)
    assert entry is not None
    for number in range(1000):
        address = (0x0A000000 + number).to_bytes(4, "big")
        assert table.find(address) is not None
        table.proved(address, entry, NOW)
        assert len(table._resolved) <= 100
        assert len(entry.proofs) <= 100


def secrets_in_order(entry: NasEntry | None) -> list[bytes]:
    assert entry is not None
    return [secret.octets for secret in entry.secrets]


def test_a_device_goes_on_with_the_secret_it_used_when_its_record_changes() -> None:
    table = NasTable([replace(ROUTER, secret=b"old")])
    both = replace(ROUTER, secret=b"new", outgoing_secret=b"old")
    put(table, both)
    entry = table.get(1, 1)
    assert entry is not None
    assert secrets_in_order(entry) == [b"old", b"new"]
    entry.proved_with(SharedSecret(b"new"))
    table.load([both])
    assert secrets_in_order(table.get(1, 1)) == [b"new", b"old"]
    put(table, replace(both, secret=b"newer", outgoing_secret=b"neither"))
    assert secrets_in_order(table.get(1, 1)) == [b"newer", b"neither"]


def test_a_secret_that_is_not_the_devices_changes_no_order() -> None:
    entry = NasEntry(replace(ROUTER, secret=b"new", outgoing_secret=b"old"))
    entry.proved_with(SharedSecret(b"a third"))
    assert secrets_in_order(entry) == [b"new", b"old"]
    assert secrets_in_order(NasEntry(replace(ROUTER, outgoing_secret=b"secret"))) == [b"secret"]


@pytest.mark.parametrize("policy", list(MessageAuthenticatorPolicy))
@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("source", ["10.0.0.1", "10.0.0.0/24", "10.0.0.0/23", "2001:db8::/48", "2001:db8::/47"])
def test_who_must_sign(policy: MessageAuthenticatorPolicy, seen: bool, source: str) -> None:
    wide = source in {"10.0.0.0/23", "2001:db8::/47"}
    nas = replace(ROUTER, sources=source, require_message_authenticator=policy, message_authenticator_seen=seen)
    asked = policy is MessageAuthenticatorPolicy.YES or (policy is MessageAuthenticatorPolicy.AUTO and seen)
    assert NasEntry(nas).must_sign == (wide or asked)


def test_the_secrets_that_are_tried_are_taken_from_the_isps_in_turn() -> None:
    entries = [NasEntry(replace(ROUTER, isp_id=1, id=number, secret=b"1.%d" % number)) for number in range(100)]
    entries += [NasEntry(replace(ROUTER, isp_id=isp, id=1, secret=b"%d.1" % isp)) for isp in range(2, 12)]
    keys = [secret.octets for secret, _ in Candidates(entries).keys]
    assert len(keys) == MAX_TRIES
    assert keys[:11] == [b"1.0", *(b"%d.1" % isp for isp in range(2, 12))]


def test_entries_and_secrets_do_not_show_what_they_hold() -> None:
    nas = replace(ROUTER, secret=b"canary", outgoing_secret=b"canary too")
    table = NasTable([nas])
    for shown in (nas, table.get(1, 1), NasEntry(nas).secrets, table.find(packed("10.0.0.1")), NasChange(1, 1, nas)):
        assert "canary" not in repr(shown)


SOURCES = ["10.0.0.1", "10.0.0.2", "10.0.0.0/30", "10.0.0.0/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::/64"]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.77", "192.0.2.1", "2001:db8::1", "2001:db8::2", "::1"]
nases = st.builds(
    Nas,
    st.lists(st.sampled_from(SOURCES), max_size=3),
    st.sampled_from([b"", b"x", b"y", b"z"]),
    isp_id=st.integers(1, 3),
    id=st.integers(1, 4),
    outgoing_secret=st.sampled_from([None, b"", b"x", b"w"]),
    proved_at=st.none() | st.floats(0, 500),
)


class AgainstTheObvious(RuleBasedStateMachine):
    """A table after any changes, loads, lookups and proofs says what a list of all devices says."""

    def __init__(self) -> None:
        super().__init__()
        self.table = NasTable()
        self.nases: dict[tuple[int, int], Nas] = {}
        self.proofs: dict[tuple[str, int, int], float] = {}
        self.clock = 1000.0

    @rule(nas=nases)
    def change(self, nas: Nas) -> None:
        put(self.table, nas)
        self._forget_proofs(nas.isp_id, nas.id, nas)
        self.nases[nas.isp_id, nas.id] = nas

    @rule(isp_id=st.integers(1, 3), nas_id=st.integers(1, 4))
    def remove(self, isp_id: int, nas_id: int) -> None:
        self.table.apply(NasChange(isp_id, nas_id, None))
        self._forget_proofs(isp_id, nas_id, None)
        self.nases.pop((isp_id, nas_id), None)

    @rule(given=st.lists(nases, max_size=6, unique_by=lambda nas: (nas.isp_id, nas.id)))
    def load(self, given: list[Nas]) -> None:
        self.table.load(given)
        loaded = {(nas.isp_id, nas.id): nas for nas in given}
        for key in self.nases.keys() | loaded.keys():
            self._forget_proofs(*key, loaded.get(key))
        self.nases = loaded

    @rule(address=st.sampled_from(ADDRESSES), data=st.data())
    def prove(self, address: str, data: st.DataObject) -> None:
        found = self.table.find(packed(address))
        if found is None:
            return
        entry = data.draw(st.sampled_from(found.entries))
        self.clock += 1
        key = (address, entry.nas.isp_id, entry.nas.id)
        stored = self.table.proved(packed(address), entry, Moment(0, self.clock))
        assert stored == (self._proved_at(address, entry.nas) == inf)
        if self._proved_at(address, entry.nas) == inf:
            self.proofs[key] = self.clock

    @rule(address=st.sampled_from(ADDRESSES))
    def look_up(self, address: str) -> None:
        found = self.table.find(packed(address))
        expected = self._expected(address)
        assert [entry.nas for entry in found.entries] == expected if found is not None else not expected
        if found is not None:
            able = [nas for nas in expected if nas.secret or nas.outgoing_secret]
            known = {secret for nas in able for secret in (nas.secret, nas.outgoing_secret) if secret}
            assert {secret.octets for secret, _ in found.keys} == known
            assert found.one_isp == (len({nas.isp_id for nas in expected}) == 1)
            assert (found.sole is not None) == (len(expected) == 1)

    def _expected(self, address: str) -> list[Nas]:
        best: dict[int, int] = {}
        holding: list[tuple[int, Nas]] = []
        for nas in self.nases.values():
            lengths = [net.prefixlen for net in nas.networks if ip_address(address) in net]
            for length in lengths:
                best[nas.isp_id] = max(best.get(nas.isp_id, -1), length)
            holding += [(length, nas) for length in lengths]
        of_longest = [nas for length, nas in holding if length == best[nas.isp_id]]
        able = [nas for nas in of_longest if nas.secret or nas.outgoing_secret] or of_longest
        return sorted(able, key=lambda nas: (self._proved_at(address, nas), nas.isp_id, nas.id))

    def _proved_at(self, address: str, nas: Nas) -> float:
        proof = self.proofs.get((address, nas.isp_id, nas.id), inf)
        if self._only_address(nas) == address and nas.proved_at is not None:
            return nas.proved_at
        return proof

    def _forget_proofs(self, isp_id: int, nas_id: int, now: Nas | None) -> None:
        """Of a device with one address the record tells when it was proved; one that is gone or moved proves anew."""
        before = self.nases.get((isp_id, nas_id))
        if before is None or now is None or before.networks != now.networks or self._only_address(now) is not None:
            self.proofs = {key: at for key, at in self.proofs.items() if key[1:] != (isp_id, nas_id)}

    @staticmethod
    def _only_address(nas: Nas) -> str | None:
        nets = nas.networks
        return str(nets[0].network_address) if len(nets) == 1 and nets[0].num_addresses == 1 else None


TestAgainstTheObvious: Any = AgainstTheObvious.TestCase
TestAgainstTheObvious.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


def test_a_network_is_an_address_or_a_prefix_and_never_one_with_spare_bits() -> None:
    with pytest.raises(ValueError, match="host bits"):
        Nas("10.0.0.1/24", b"secret")
    assert Nas(ip_network("10.0.0.0/24"), b"secret").networks == (ip_network("10.0.0.0/24"),)
