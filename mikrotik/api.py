"""The RouterOS API over TCP or TLS. librouteros opens connections and encodes sentences; reading is done here.

librouteros reads octet by octet, turns words into `bool` and `int` (a customer called ``true`` changes type), drops
what it cannot decode, waits for ever between sentences and logs every word, the password too. Here values stay text,
replies have a bound, and nothing is logged. After a `!trap` the stream is in step and the connection good; after
anything else it must be closed, or the next command would get the rest of this answer.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Sequence
from typing import Final

from librouteros import async_create_transport
from librouteros.connections import AsyncSocketTransport
from librouteros.protocol import encode_sentence

from mikrotik import faults
from mikrotik.config import ConnectionType, MikroTikConnectionConfig
from mikrotik.errors import MikroTikError
from mikrotik.transport import BIG_REPLY_OCTETS, MAX_REPLY_OCTETS, Command, Peer, Read, Row
from mikrotik.words import Sentence, SentenceDecoder

_CHUNK: Final = 1 << 16
# Certificates of old routers have short keys and SHA-1; what proves the router is the pin, not the chain.
_CIPHERS: Final = "DEFAULT:@SECLEVEL=0"
_ANONYMOUS_CIPHERS: Final = "HIGH:+aNULL:@SECLEVEL=0"  # the anonymous last; DEFAULT would shut them out for good


async def connect(config: MikroTikConnectionConfig, address: str) -> "ApiTransport":
    """Open a connection to ``address`` and log in. Cancelling closes it. Raises `MikroTikError`."""
    tls = _tls_context(config) if config.connection_type is ConnectionType.API_SSL else None
    try:
        # The caller's deadline is for the whole call; librouteros's is out of the way.
        stream = await async_create_transport(
            address, port=config.service_port, saddr=None, timeout=config.timeout + 1, ssl_wrapper=tls
        )
    except OSError as error:
        raise faults.connect_fault(error, config) from error
    transport = ApiTransport(stream, config, Peer(address))
    try:
        if tls is not None:
            transport.peer = _peer(stream, config, address)
        await transport.login()
    except BaseException:
        await transport.close()
        raise
    return transport


def _tls_context(config: MikroTikConnectionConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.allow_anonymous_tls and config.tls_fingerprint is None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # TLS 1.3 has no anonymous suites
        context.set_ciphers(_ANONYMOUS_CIPHERS)
    else:
        context.set_ciphers(_CIPHERS)
    return context


def _peer(stream: AsyncSocketTransport, config: MikroTikConnectionConfig, address: str) -> Peer:
    """Check the pin, before the password is sent."""
    certificate = stream.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    if certificate is None:
        return Peer(address, anonymous_tls=True)
    fingerprint = hashlib.sha256(certificate).hexdigest()
    if config.tls_fingerprint not in (None, fingerprint):
        raise faults.fingerprint_changed(config, fingerprint)
    return Peer(address, fingerprint)


class ApiTransport:
    """A logged-in API connection; one command at a time (the client holds a lock)."""

    def __init__(self, stream: AsyncSocketTransport, config: MikroTikConnectionConfig, peer: Peer) -> None:
        self.peer = peer
        self._stream = stream
        self._config = config
        self._decoder = SentenceDecoder()
        self._heard = False

    @property
    def alive(self) -> bool:
        """Whether the router has not hung up."""
        return not (self._stream.reader.at_eof() or self._stream.writer.transport.is_closing())

    async def login(self) -> None:
        """Log in the way of 6.43 and later, and finish the older way if the router answers with a challenge.

        An older router answers a new-style login with ``!done`` and a challenge in ``ret``: that is not a login yet.
        """
        config = self._config
        words = [f"=name={config.username}", f"=password={config.password}"]
        rows = await self._command("/login", words, "/login")
        challenge = rows[0].get("ret", "") if rows else ""
        if not challenge:
            return
        try:
            octets = b"\x00" + config.password.encode(config.encoding) + bytes.fromhex(challenge)
        except ValueError as error:
            raise faults.broken(config, "its login challenge is not one") from error
        response = "00" + hashlib.md5(octets, usedforsecurity=False).hexdigest()
        await self._command("/login", [words[0], f"=response={response}"], "/login")

    async def read(self, what: Read) -> list[Row]:
        """Read rows. ``.proplist`` always: without it the router computes slow properties, such as file contents."""
        words = [f"=.proplist={','.join(what.fields)}", *(f"?{name}={value}" for name, value in what.where.items())]
        return await self._command(f"{what.menu}/print", words, what.menu)

    async def run(self, command: Command) -> list[Row]:
        """Run a command; ``add`` answers one row with ``ret``."""
        words = [f"={name}={value}" for name, value in command.arguments.items()]
        return await self._command(f"{command.menu}/{command.verb}", words, command.menu, command.secrets)

    async def console(self, script: str) -> str | None:
        """The API has no console."""
        return None

    async def close(self) -> None:
        """Close at once, without a farewell."""
        self._stream.writer.transport.abort()

    async def _command(self, path: str, words: Sequence[str], subject: str, secrets: Sequence[str] = ()) -> list[Row]:
        try:
            octets = encode_sentence(path, *words, encoding=self._config.encoding)
        except (UnicodeEncodeError, LookupError) as error:
            raise faults.broken(
                self._config, f"a value cannot be written in its encoding {self._config.encoding}"
            ) from error
        try:
            await self._stream.write(octets)
            sentences, size = await self._reply()
        except OSError as error:
            raise self._cut_off() from error
        if size > BIG_REPLY_OCTETS:
            rows, traps = await asyncio.to_thread(read_reply, sentences, self._config.encoding)
        else:
            rows, traps = read_reply(sentences, self._config.encoding)
        if traps:
            raise faults.refusal(", ".join(traps), self._config, subject, secrets)
        return rows

    async def _reply(self) -> tuple[list[Sentence], int]:
        """Return the sentences up to ``!done``, and their octets."""
        sentences: list[Sentence] = []
        size = 0
        while not sentences or sentences[-1][0] != b"!done":
            chunk = await self._stream.reader.read(_CHUNK)
            if not chunk:
                raise self._cut_off()
            self._heard = True
            size += len(chunk)
            if size > MAX_REPLY_OCTETS:
                raise faults.broken(self._config, f"it is longer than {MAX_REPLY_OCTETS >> 20} MiB")
            came = self._decoder.feed(chunk)
            sentences += came
            for index, sentence in enumerate(came):
                if sentence[0] == b"!fatal":
                    raise self._fatal(sentence)
                if sentence[0] == b"!done" and index != len(came) - 1:
                    raise faults.broken(self._config, "it goes on after its end")
        if not self._decoder.idle:
            raise faults.broken(self._config, "it goes on after its end")
        return sentences, size

    def _fatal(self, sentence: Sentence) -> MikroTikError:
        said = b" ".join(sentence[1:]).decode(self._config.encoding, "replace")
        if "not logged in" in said:
            return faults.login_refused(self._config)
        return faults.broken(self._config, f"it ended the connection ({faults.shown(said, self._config.secrets)})")

    def _cut_off(self) -> MikroTikError:
        """A router closes a connection from an address that its service does not allow without a word."""
        if not self._heard:
            return faults.refused(self._config)
        return faults.broken(self._config, "the connection was closed in the middle")


def read_reply(sentences: Sequence[Sentence], encoding: str) -> tuple[list[Row], list[str]]:
    """Return the rows and the messages of the traps of one reply; total.

    A row may be empty, a word may lack its ``=``, a trap its message: real routers sent all of these. ``!empty``
    (7.18 and later) is a reply without rows.
    """
    rows: list[Row] = []
    traps: list[str] = []
    for sentence in sentences:
        kind, row = sentence[0], {}
        for word in sentence[1:]:
            if word[:1] == b"=":
                name, _, value = word[1:].decode(encoding, "replace").partition("=")
                row[name] = value
        if kind == b"!trap":
            traps.append(row.get("message", "no reason given"))
        elif kind == b"!re" or (kind == b"!done" and row):
            rows.append(row)
    return rows, traps
