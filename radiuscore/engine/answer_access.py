"""Access-Request to Access-Accept or Access-Reject: facts, decision, reply.

The reply's first attribute is always Message-Authenticator (CVE-2024-3596), its last are the request's Proxy-States.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from radiuscore.aaa.credentials import MsChapV1, MsChapV2, NtKeysOf, Pap
from radiuscore.aaa.decisions import Accept, Reject, RejectReason
from radiuscore.aaa.requests import AccessRequest
from radiuscore.engine.counters import Counters
from radiuscore.engine.exchange import Exchange, Pending
from radiuscore.wire import mppe, mschap
from radiuscore.wire.codes import Code
from radiuscore.wire.errors import Discard, PacketTooLong
from radiuscore.wire.microsoft import MS_CHAP2_SUCCESS, MS_CHAP_ERROR
from radiuscore.wire.packet import Pair, encode_attributes, encode_reply
from radiuscore.wire.rfc import REPLY_MESSAGE
from radiuscore.wire.secret import SharedSecret

Decision: TypeAlias = Accept | Reject | None
"""``None`` is silence: somebody else may know better, let the NAS ask its next server."""
AccessHandler: TypeAlias = Callable[[AccessRequest], "Decision | Awaitable[Decision]"]
Random: TypeAlias = Callable[[int], bytes]

_PROXY_STATE: Final = 33
_ACCEPT: Final = int(Code.ACCESS_ACCEPT)
_REJECT: Final = int(Code.ACCESS_REJECT)


class AccessAnswerer:
    """Answers Access-Requests by asking one handler.

    ``note_proof`` hears when an unsigned request turned out to hide a customer's right password with its NAS's secret.
    """

    __slots__ = ("_counters", "_decide", "_keys_of", "_note_proof", "_random")

    def __init__(
        self,
        decide: AccessHandler,
        keys_of: NtKeysOf,
        random: Random,
        counters: Counters,
        note_proof: Callable[[Exchange], None],
    ) -> None:
        self._decide = decide
        self._keys_of = keys_of
        self._random = random
        self._counters = counters
        self._note_proof = note_proof

    def __call__(self, exchange: Exchange) -> bytes | Discard | Pending:
        entry = exchange.entry
        secrets = (exchange.secret,) if exchange.signed else entry.secrets
        request = AccessRequest(exchange.packet, exchange.first, entry.nas, secrets, exchange.now.epoch, self._keys_of)
        decision = self._decide(request)
        if decision is None or isinstance(decision, (Accept, Reject)):  # a union would be built for each request
            return self._reply(exchange, request, decision)
        return Pending(decision, lambda made: self._reply(exchange, request, made), lambda reason: reason)

    def _reply(self, exchange: Exchange, request: AccessRequest, decision: Decision) -> bytes | Discard:
        if decision is None:
            return Discard.NOT_HANDLED
        if isinstance(decision, Accept):
            secret = exchange.secret if exchange.signed else self._secret_of_unsigned(exchange, request)
            attributes = decision.attributes
            if isinstance(request.credential, (MsChapV1, MsChapV2)):
                attributes += self._mschap_success(request, secret)
            reply = _encode(_ACCEPT, exchange, attributes, secret)
            if reply is not None:
                return reply
            decision = Reject(RejectReason.REPLY_TOO_LONG)
        self._counters.rejects[decision.reason] += 1
        for attributes in (self._reject_attributes(request, decision), b""):
            reply = _encode(_REJECT, exchange, attributes, exchange.secret)
            if reply is not None:
                return reply
        return Discard.REPLY_TOO_LONG

    def _secret_of_unsigned(self, exchange: Exchange, request: AccessRequest) -> SharedSecret:
        """Return the secret to sign the Accept of an unsigned request with: the one that hid the right password."""
        credential = request.credential
        if not isinstance(credential, Pap) or credential.proved is None:
            return exchange.secret
        exchange.entry.proved_with(credential.proved)
        self._note_proof(exchange)
        return credential.proved

    def _mschap_success(self, request: AccessRequest, secret: SharedSecret) -> bytes:
        """Return what MS-CHAP needs beside the Accept: the server's own proof, and the keys for encryption."""
        credential = request.credential
        authenticator = request.packet.authenticator
        if isinstance(credential, MsChapV2) and credential.proved is not None:
            nt_hash_hash = credential.proved.nt_hash_hash
            success = mschap.v2_success(nt_hash_hash, credential.nt_response, credential.challenge_hash)
            keys = mppe.v2_keys(nt_hash_hash, credential.nt_response)
            encryption = mppe.v2_attributes(keys, self._random(2), secret, authenticator)
            return encode_attributes((MS_CHAP2_SUCCESS(bytes((credential.ident,)) + success),)) + encryption
        if isinstance(credential, MsChapV1) and credential.proved is not None:
            return mppe.v1_attributes(credential.proved.nt_hash_hash, secret, authenticator)
        return b""

    def _reject_attributes(self, request: AccessRequest, decision: Reject) -> bytes:
        pairs: list[Pair] = [REPLY_MESSAGE(decision.message)] if decision.message else []
        credential = request.credential
        if isinstance(credential, MsChapV1 | MsChapV2):
            challenge = self._random(16 if isinstance(credential, MsChapV2) else 8)
            pairs.append(MS_CHAP_ERROR(mschap.failure(credential.ident, challenge)))
        return encode_attributes(pairs)


def _encode(code: int, exchange: Exchange, attributes: bytes, secret: SharedSecret) -> bytes | None:
    """Return the signed reply with the request's Proxy-States, or ``None`` where that exceeds a packet."""
    packet = exchange.packet
    if _PROXY_STATE in exchange.first:
        attributes += encode_attributes(pair for pair in packet.attributes if pair[0] == _PROXY_STATE)
    try:
        return encode_reply(code, packet.identifier, packet.authenticator, attributes, secret, sign=True)
    except PacketTooLong:
        return None
