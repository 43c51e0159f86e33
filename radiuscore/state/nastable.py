"""Which devices may be behind a source address, and which of them has proved that it is.

What a packet says never selects an ISP; its source address and the secret that verifies it do. Several ISPs may name
one address (192.168.88.1 behind two tunnels, many routers behind one NAT), so an address has *candidates*: of each ISP
the devices of its longest matching prefix. (The longest prefix over all ISPs would let one take over an address inside
a neighbour's prefix by naming it more exactly.)
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from math import inf
from typing import Final, TypeAlias

from radiuscore.aaa.changes import NasChange
from radiuscore.aaa.records import IspId, MessageAuthenticatorPolicy, Nas, NasId
from radiuscore.state.moment import Moment
from radiuscore.state.prefixes import PrefixTable
from radiuscore.wire.secret import SharedSecret

MAX_TRIES: Final = 32
MAX_ADDRESSES: Final = 65_536
MAX_PROOFS: Final = 1024  # of one device: more than the addresses of the widest prefix that need not sign
WIDEST_UNSIGNED: Final = {4: 24, 6: 48}
"""Prefixes shorter than these must sign (and only an admin may enter them)."""

_Key: TypeAlias = tuple[IspId, NasId]
_SecretKey: TypeAlias = "tuple[SharedSecret, list[NasEntry]]"


class NasEntry:
    """A NAS with what was learned of it since it was loaded.

    ``secrets`` has the one that verified its last packet first, so an unsigned packet is read with that.
    ``address`` is the only one it can be at, where there is only one; ``proofs`` are those of a device that can be at
    several, by address. ``key`` is in octets what no other NAS has.
    """

    __slots__ = ("address", "identifier", "key", "nas", "proofs", "proved_at", "secrets", "signed", "wide")

    def __init__(self, nas: Nas) -> None:
        self.nas: Final = nas
        self.key: Final = f"{nas.isp_id}.{nas.id}.".encode()
        given = [nas.secret] if nas.outgoing_secret in (None, nas.secret) else [nas.secret, nas.outgoing_secret]
        self.secrets = [SharedSecret(secret) for secret in given if secret]
        self.identifier: Final = nas.nas_identifier.encode() if nas.nas_identifier else None
        self.signed = nas.message_authenticator_seen
        self.proved_at = nas.proved_at
        self.proofs = dict(nas.address_proofs)
        only = nas.networks[0] if len(nas.networks) == 1 else None
        self.address: Final = only.network_address.packed if only and only.num_addresses == 1 else None
        self.wide: Final = any(network.prefixlen < WIDEST_UNSIGNED[network.version] for network in nas.networks)

    @property
    def must_sign(self) -> bool:
        """Whether an Access-Request of this NAS without Message-Authenticator is discarded."""
        policy = self.nas.require_message_authenticator
        if policy is MessageAuthenticatorPolicy.NO:
            return self.wide
        return self.wide or self.signed or policy is MessageAuthenticatorPolicy.YES

    def proved_with(self, secret: SharedSecret) -> None:
        """Put the secret that verified a packet first."""
        if len(self.secrets) > 1 and self.secrets[1].octets == secret.octets:
            self.secrets.reverse()


class Candidates:
    """The devices that may be behind one address, in the order in which they proved it.

    ``keys`` holds each distinct secret once, with the devices that have it, and none where no device has one, which is
    no candidate otherwise; ``sole`` is the only candidate, if so;
    ``noted`` are those whose proof has been noted. The first ``proved`` of the entries have proved themselves here.
    """

    __slots__ = ("entries", "keys", "noted", "one_isp", "sole")

    def __init__(self, entries: Sequence[NasEntry], proved: int = 0) -> None:
        self.entries: Final = tuple(entries)
        self.sole: Final = self.entries[0] if len(self.entries) == 1 else None
        self.noted: Final[set[NasEntry]] = set()
        self.one_isp: Final = len({entry.nas.isp_id for entry in entries}) == 1
        self.keys = _keys(self.entries, frozenset(self.entries[:proved]))

    def tried_first(self, key: _SecretKey) -> None:
        """Try this secret first from now on: it verified the last packet from here."""
        if self.keys[0] is not key:
            self.keys.remove(key)
            self.keys.insert(0, key)


def _keys(entries: Sequence[NasEntry], proved: Collection[NasEntry]) -> list[_SecretKey]:
    """Return the secrets to try: of each ISP its next device's in turn, so that none crowds another's out.

    After the first of each ISP come those that are ``proved``: devices that were only entered displace none of them.
    """
    by_secret: dict[bytes, _SecretKey] = {}
    by_isp: dict[IspId, list[NasEntry]] = {}
    for entry in entries:
        by_isp.setdefault(entry.nas.isp_id, []).append(entry)
        for secret in entry.secrets:
            by_secret.setdefault(secret.octets, (secret, []))[1].append(entry)
    in_turn = [entry for turn in zip_longest(*by_isp.values()) for entry in turn if entry is not None]
    firsts, others = in_turn[: len(by_isp)], in_turn[len(by_isp) :]
    others.sort(key=lambda entry: entry not in proved)
    chosen = dict.fromkeys(secret.octets for entry in firsts + others for secret in entry.secrets)
    return [by_secret[octets] for octets in chosen][:MAX_TRIES]


class NasTable:
    """Every NAS of every ISP by source address. Changed between two datagrams, patched and never half."""

    __slots__ = ("_entries", "_prefixes", "_resolved")

    def __init__(self, nases: Iterable[Nas] = ()) -> None:
        self._entries: dict[_Key, NasEntry] = {}
        self._resolved: dict[bytes, Candidates] = {}
        self.load(nases)

    def load(self, nases: Iterable[Nas]) -> None:
        """Replace all devices."""
        before, loaded = self._entries, {(nas.isp_id, nas.id): NasEntry(nas) for nas in nases}
        self._entries = {}
        self._prefixes: dict[int, PrefixTable[_Key, NasEntry]] = {4: PrefixTable(32), 16: PrefixTable(128)}
        for key, entry in loaded.items():
            self._add(key, entry, before.get(key))
        self._resolved.clear()

    def apply(self, change: NasChange) -> None:
        """Make one change."""
        key = change.isp_id, change.nas_id
        entry = NasEntry(change.nas) if change.nas is not None else None
        before = self._remove(key)
        if entry is not None:
            self._add(key, entry, before)
        self._resolved.clear()

    def find(self, address: bytes) -> Candidates | None:
        """Return who may be behind an address of 4 or 16 octets; ``None`` if nobody is known there."""
        return self._resolved.get(address) or self._resolve(address)

    def proved(self, address: bytes, entry: NasEntry, now: Moment) -> bool:
        """Note that a device proved to be behind an address; tell whether that is worth storing.

        Stored is the first proof at each address: a device that can be at several could otherwise be proved at its own
        and take precedence at a neighbour's.
        """
        if self.proved_at(address, entry) < inf or len(entry.proofs) >= MAX_PROOFS:
            return False
        if entry.address == address:
            entry.proved_at = now.epoch
        else:
            entry.proofs[address] = now.epoch
        self._resolved.pop(address, None)
        return True

    def proved_at(self, address: bytes, entry: NasEntry) -> float:
        """Return when the device first proved to be behind the address; infinity if it never did."""
        if entry.address == address:
            return entry.proved_at if entry.proved_at is not None else inf
        return entry.proofs.get(address, inf)

    def get(self, isp_id: IspId, nas_id: NasId) -> NasEntry | None:
        return self._entries.get((isp_id, nas_id))

    def device_ids(self) -> Collection[tuple[IspId, NasId]]:
        """Return the ids of every device: its ISP's and its own."""
        return self._entries.keys()

    def __len__(self) -> int:
        return len(self._entries)

    def _add(self, key: _Key, entry: NasEntry, before: NasEntry | None) -> None:
        """Add a device; it goes on with the secret it used ``before`` its record was changed, and with its proofs."""
        if before is not None and before.secrets:
            entry.proved_with(before.secrets[0])
        if before is not None and before.nas.networks == entry.nas.networks:
            entry.proofs = before.proofs | entry.proofs
        self._entries[key] = entry
        for network in entry.nas.networks:
            self._prefixes[len(network.network_address.packed)].add(network, key, entry)

    def _remove(self, key: _Key) -> NasEntry | None:
        entry = self._entries.pop(key, None)
        for network in entry.nas.networks if entry is not None else ():
            self._prefixes[len(network.network_address.packed)].remove(network, key)
        return entry

    def _resolve(self, address: bytes) -> Candidates | None:
        matching = self._matching(address)
        entries = [entry for entry in matching if entry.secrets] or matching
        if not entries:
            return None  # not kept: strangers, who may be forged, must leave nothing behind
        if len(self._resolved) >= MAX_ADDRESSES:
            self._resolved.clear()
        entries.sort(key=lambda entry: (self.proved_at(address, entry), entry.nas.isp_id, entry.nas.id))
        proved = sum(self.proved_at(address, entry) < inf for entry in entries)
        candidates = self._resolved[address] = Candidates(entries, proved)
        return candidates

    def _matching(self, address: bytes) -> list[NasEntry]:
        """Return of each ISP the devices of its longest prefix that holds the address."""
        found: dict[IspId, list[NasEntry]] = {}
        for devices in self._prefixes[len(address)].matching(address):
            of_length: dict[IspId, list[NasEntry]] = {}
            for entry in devices.values():
                of_length.setdefault(entry.nas.isp_id, []).append(entry)
            found = of_length | found
        return [entry for entries in found.values() for entry in entries]
