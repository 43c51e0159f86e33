"""Which devices may be behind a source address, and which of them has proved that it is.

What a packet says never selects an ISP; its source address and the secret that verifies it do. Several ISPs may name
one address (192.168.88.1 behind two tunnels, many routers behind one NAT), so an address has *candidates*: of each ISP
the devices of its longest matching prefix. (The longest prefix over all ISPs would let one take over an address inside
a neighbour's prefix by naming it more exactly.)
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import groupby
from math import inf
from typing import Final

from radiuscore.aaa.changes import NasChange
from radiuscore.aaa.records import IspId, MessageAuthenticatorPolicy, Nas, NasId, Network
from radiuscore.state.moment import Moment
from radiuscore.wire.secret import SharedSecret

MAX_TRIES: Final = 32
MAX_ADDRESSES: Final = 65_536
WIDEST_UNSIGNED: Final = {4: 24, 6: 48}
"""Prefixes shorter than these must sign (and only an admin may enter them)."""


class NasEntry:
    """A NAS with what was learned of it since it was loaded.

    ``secrets`` has the one that verified its last packet first, so an unsigned packet is read with that.
    ``address`` is the only one it can be at, where there is only one. ``key`` is in octets what no other NAS has.
    """

    __slots__ = ("address", "identifier", "key", "nas", "proved_at", "secrets", "signed", "wide")

    def __init__(self, nas: Nas) -> None:
        self.nas: Final = nas
        self.key: Final = f"{nas.isp_id}.{nas.id}.".encode()
        given = [nas.secret] if nas.outgoing_secret in (None, nas.secret) else [nas.secret, nas.outgoing_secret]
        self.secrets = [SharedSecret(secret) for secret in given if secret]
        self.identifier: Final = nas.nas_identifier.encode() if nas.nas_identifier else None
        self.signed = nas.message_authenticator_seen
        self.proved_at = nas.proved_at
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
        if len(self.secrets) > 1 and self.secrets[0].octets != secret.octets:
            self.secrets.reverse()


class Candidates:
    """The devices that may be behind one address, in the order in which they proved it.

    ``keys`` holds each distinct secret once, with the devices that have it; ``sole`` is the only candidate, if so;
    ``noted`` are those whose proof has been noted.
    """

    __slots__ = ("entries", "keys", "noted", "one_isp", "sole")

    def __init__(self, entries: Sequence[NasEntry]) -> None:
        self.entries: Final = tuple(entries)
        self.sole: Final = self.entries[0] if len(self.entries) == 1 else None
        self.noted: Final[set[NasEntry]] = set()
        self.one_isp: Final = len({entry.nas.isp_id for entry in entries}) == 1
        by_secret: dict[bytes, tuple[SharedSecret, list[NasEntry]]] = {}
        for entry in self.entries:
            for secret in entry.secrets:
                by_secret.setdefault(secret.octets, (secret, []))[1].append(entry)
        self.keys = list(by_secret.values())[:MAX_TRIES]

    def tried_first(self, key: tuple[SharedSecret, list[NasEntry]]) -> None:
        """Try this secret first from now on: it verified the last packet from here."""
        if self.keys[0] is not key:
            self.keys.remove(key)
            self.keys.insert(0, key)


class NasTable:
    """Every NAS of every ISP by source address. Changed between two datagrams, patched and never half."""

    __slots__ = ("_by_network", "_entries", "_prefix_lengths", "_proofs", "_resolved")

    def __init__(self, nases: Iterable[Nas] = ()) -> None:
        self._resolved: dict[bytes, Candidates | None] = {}
        self._proofs: dict[tuple[bytes, IspId, NasId], float] = {}
        self.load(nases)

    def load(self, nases: Iterable[Nas]) -> None:
        """Replace all devices."""
        self._entries: dict[tuple[IspId, NasId], NasEntry] = {}
        self._by_network: dict[Network, dict[tuple[IspId, NasId], NasEntry]] = {}
        for nas in nases:
            self._add(nas)
        self._settle()

    def apply(self, change: NasChange) -> None:
        """Make one change."""
        self._remove(change.isp_id, change.nas_id)
        if change.nas is not None:
            self._add(change.nas)
        self._settle()

    def find(self, address: bytes) -> Candidates | None:
        """Return who may be behind an address of 4 or 16 octets; ``None`` if nobody is known there."""
        try:
            return self._resolved[address]
        except KeyError:
            return self._resolve(address)

    def proved(self, address: bytes, entry: NasEntry, now: Moment) -> bool:
        """Note that a device proved to be behind an address; tell whether that is worth storing.

        Stored is the first proof of a device, and only of one that can be at one address only: had it two, it could
        be proved at its own and take precedence at a neighbour's. The proofs of others are remembered by address, in
        this process.
        """
        if entry.address == address:
            if entry.proved_at is not None:
                return False
            entry.proved_at = now.epoch
            self._resolved.pop(address, None)
            return True
        key = (address, entry.nas.isp_id, entry.nas.id)
        if key not in self._proofs and len(self._proofs) < MAX_ADDRESSES:
            self._proofs[key] = now.epoch
            self._resolved.pop(address, None)
        return False

    def proved_at(self, address: bytes, entry: NasEntry) -> float:
        """Return when the device first proved to be behind the address; infinity if it never did."""
        if entry.address == address:
            return entry.proved_at if entry.proved_at is not None else inf
        return self._proofs.get((address, entry.nas.isp_id, entry.nas.id), inf)

    def get(self, isp_id: IspId, nas_id: NasId) -> NasEntry | None:
        return self._entries.get((isp_id, nas_id))

    def __len__(self) -> int:
        return len(self._entries)

    def _add(self, nas: Nas) -> None:
        key, entry = (nas.isp_id, nas.id), NasEntry(nas)
        self._entries[key] = entry
        for network in nas.networks:
            self._by_network.setdefault(network, {})[key] = entry

    def _remove(self, isp_id: IspId, nas_id: NasId) -> None:
        entry = self._entries.pop((isp_id, nas_id), None)
        for network in entry.nas.networks if entry is not None else ():
            devices = self._by_network[network]
            del devices[isp_id, nas_id]
            if not devices:
                del self._by_network[network]

    def _settle(self) -> None:
        """Forget what was resolved, and learn which prefix lengths there are, longest first."""
        self._resolved.clear()
        lengths = sorted({(network.version, network.prefixlen) for network in self._by_network}, reverse=True)
        self._prefix_lengths = {v: [n for _, n in group] for v, group in groupby(lengths, key=lambda pair: pair[0])}

    def _resolve(self, address: bytes) -> Candidates | None:
        if len(self._resolved) >= MAX_ADDRESSES:
            self._resolved.clear()
        entries = self._matching(ip_address(address))
        entries.sort(key=lambda entry: (self.proved_at(address, entry), entry.nas.isp_id, entry.nas.id))
        candidates = self._resolved[address] = Candidates(entries) if entries else None
        return candidates

    def _matching(self, address: IPv4Address | IPv6Address) -> list[NasEntry]:
        """Return of each ISP the devices of its longest prefix that holds the address."""
        found: dict[IspId, list[NasEntry]] = {}
        for length in self._prefix_lengths.get(address.version, ()):
            devices = self._by_network.get(ip_network((address, length), strict=False), {})
            of_length: dict[IspId, list[NasEntry]] = {}
            for entry in devices.values():
                of_length.setdefault(entry.nas.isp_id, []).append(entry)
            found |= {isp_id: entries for isp_id, entries in of_length.items() if isp_id not in found}
        return [entry for entries in found.values() for entry in entries]
