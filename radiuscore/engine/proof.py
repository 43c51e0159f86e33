"""Which NAS sent a request: the one of its address whose secret verifies it. Nothing else a packet says counts.

A request that proves nothing (PAP or CHAP without Message-Authenticator), or that verifies for two ISPs, belongs to the
device that was first to prove it is at that address. Where none did, it is discarded as ambiguous. So nobody mutes a
neighbour by naming his address, and nobody learns whether two secrets are equal.
"""

from collections.abc import Callable, Sequence
from hmac import compare_digest
from math import inf
from typing import Final, NamedTuple

from radiuscore.state.nastable import Candidates, NasEntry, NasTable
from radiuscore.wire.authenticator import authenticated_octets, signed_octets
from radiuscore.wire.codes import Code
from radiuscore.wire.errors import Discard
from radiuscore.wire.packet import Packet
from radiuscore.wire.secret import SharedSecret

ACCESS_REQUEST: Final = int(Code.ACCESS_REQUEST)
ACCOUNTING_REQUEST: Final = int(Code.ACCOUNTING_REQUEST)
NAS_IDENTIFIER: Final = 32
PROXY_STATE: Final = 33
EAP_MESSAGE: Final = 79
MESSAGE_AUTHENTICATOR: Final = 80


class Proof(NamedTuple):
    """The device a request belongs to, and the secret to read and answer it with.

    ``signed``: the secret verified the request. ``certain``: and no other ISP's would have. ``named``: nor could it be
    another device of that ISP, because none has the secret, or because NAS-Identifier tells.
    """

    entry: NasEntry
    secret: SharedSecret
    signed: bool
    certain: bool
    named: bool


def prove(
    table: NasTable,
    address: bytes,
    candidates: Candidates,
    datagram: bytes,
    packet: Packet,
    first: dict[int, bytes],
) -> Proof | Discard:
    """Return which NAS of ``candidates`` sent the request, or why it is discarded."""
    if not candidates.keys:
        return Discard.NO_SECRET
    if packet.code == ACCOUNTING_REQUEST:
        return _prove_accounting(table, address, candidates, datagram, packet, first)
    if MESSAGE_AUTHENTICATOR in first:
        signed = signed_octets(datagram, packet)
        if signed is None:
            return Discard.BAD_MESSAGE_AUTHENTICATOR
        found = _verified(table, address, candidates, first, SharedSecret.hmac_md5, *signed)
        return Discard.BAD_MESSAGE_AUTHENTICATOR if found is None else found
    if packet.code != ACCESS_REQUEST or EAP_MESSAGE in first:
        return Discard.MISSING_MESSAGE_AUTHENTICATOR
    return _unsigned(table, address, candidates, first)


def _prove_accounting(
    table: NasTable, address: bytes, candidates: Candidates, datagram: bytes, packet: Packet, first: dict[int, bytes]
) -> Proof | Discard:
    """An Accounting-Request is proved by its authenticator; a Message-Authenticator need not be there, but be right."""
    message = authenticated_octets(datagram)
    found = _verified(table, address, candidates, first, SharedSecret.md5_before, message, packet.authenticator)
    if found is None:
        return Discard.BAD_AUTHENTICATOR
    if MESSAGE_AUTHENTICATOR in first and isinstance(found, Proof):
        signed = signed_octets(datagram, packet)
        if signed is None or not compare_digest(found.secret.hmac_md5(signed[0]), signed[1]):
            return Discard.BAD_MESSAGE_AUTHENTICATOR
    return found


def _verified(
    table: NasTable,
    address: bytes,
    candidates: Candidates,
    first: dict[int, bytes],
    digest: Callable[[SharedSecret, bytes], bytes],
    message: bytes,
    value: bytes,
) -> Proof | Discard | None:
    """Return the device whose secret makes ``value`` of ``message``; the secret that did so last is tried first."""
    sole = candidates.sole
    if sole is not None:
        for secret in sole.secrets:
            if compare_digest(digest(secret, message), value):
                sole.proved_with(secret)
                return Proof(sole, secret, True, True, True)  # by position: each request makes one
        return None
    for key in candidates.keys:
        if compare_digest(digest(key[0], message), value):
            candidates.tried_first(key)
            return _among_equals(table, address, *key, first)
    return None


def _among_equals(
    table: NasTable, address: bytes, secret: SharedSecret, entries: Sequence[NasEntry], first: dict[int, bytes]
) -> Proof | Discard:
    """Return which of the devices that have the verifying secret is meant."""
    certain = len({entry.nas.isp_id for entry in entries}) == 1
    if not certain:
        leader = entries[0]
        if table.proved_at(address, leader) == inf:
            return Discard.AMBIGUOUS_NAS
        entries = [entry for entry in entries if entry.nas.isp_id == leader.nas.isp_id]
    named = _named(entries, first)
    entry = named or entries[0]
    entry.proved_with(secret)
    return Proof(entry, secret, signed=True, certain=certain, named=named is not None or len(entries) == 1)


def _unsigned(table: NasTable, address: bytes, candidates: Candidates, first: dict[int, bytes]) -> Proof | Discard:
    """Return the device that an Access-Request without Message-Authenticator belongs to, if it may go without."""
    entry = candidates.sole or _first_to_prove(table, address, candidates, first)
    if entry is None:
        return Discard.AMBIGUOUS_NAS
    if entry.must_sign:
        return Discard.MISSING_MESSAGE_AUTHENTICATOR
    if PROXY_STATE in first and entry.nas.limit_proxy_state:
        return Discard.PROXY_STATE_UNSIGNED
    return Proof(entry, entry.secrets[0], signed=False, certain=candidates.one_isp, named=False)


def _first_to_prove(
    table: NasTable, address: bytes, candidates: Candidates, first: dict[int, bytes]
) -> NasEntry | None:
    """Return the device an unproved request goes to; inside one ISP its NAS-Identifier may tell."""
    leader = candidates.entries[0]
    same_isp = [entry for entry in candidates.entries if entry.nas.isp_id == leader.nas.isp_id]
    if candidates.one_isp:
        if named := _named(same_isp, first):
            return named
        if len(candidates.keys) == 1:
            return leader
    if table.proved_at(address, leader) == inf:
        return None
    return _named(same_isp, first) or leader


def _named(entries: Sequence[NasEntry], first: dict[int, bytes]) -> NasEntry | None:
    identifier = first.get(NAS_IDENTIFIER)
    if identifier is None:
        return None
    return next((entry for entry in entries if entry.identifier == identifier), None)
