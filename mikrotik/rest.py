"""RouterOS 7's REST over HTTPS: the only importer of aiohttp here. All values are strings; redirects are not followed.

`print` is GET, `add` PUT, `set` PATCH, `remove` DELETE, anything else POST. A menu of one entry came as a list from
early betas and comes as an object since: both are read. (RouterOS manual: REST API.)
"""

import asyncio
import base64
import hashlib
import json
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp

from mikrotik import faults
from mikrotik.config import MikroTikConnectionConfig
from mikrotik.errors import MikroTikError
from mikrotik.transport import BIG_REPLY_OCTETS, MAX_REPLY_OCTETS, Command, Peer, Read, Row

_METHODS: Final = {"add": "PUT", "set": "PATCH", "remove": "DELETE"}
_CHUNK: Final = 1 << 16


async def connect(config: MikroTikConnectionConfig, address: str) -> "RestTransport":
    """Check TLS and login with one small question. Cancelling closes it. Raises `MikroTikError`."""
    transport = RestTransport(config, address)
    try:
        if config.https:
            transport.peer = await _proof(config, address)
        await transport.read(Read("/system/identity", ("name",), single=True))
    except BaseException:
        await transport.close()
        raise
    return transport


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # what proves the router is the pin; old certificates are weak
    return context


async def _proof(config: MikroTikConnectionConfig, address: str) -> Peer:
    """Look at the certificate before any request carries the password; every later connection must show the same."""
    try:
        _, writer = await asyncio.open_connection(address, config.service_port, ssl=_tls_context())
    except OSError as error:
        raise faults.connect_fault(error, config) from error
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    fingerprint = hashlib.sha256(certificate).hexdigest()
    if config.tls_fingerprint not in (None, fingerprint):
        raise faults.fingerprint_changed(config, fingerprint)
    return Peer(address, fingerprint)


def _basic(config: MikroTikConnectionConfig) -> str:
    try:
        octets = f"{config.username}:{config.password}".encode(config.encoding)
    except UnicodeEncodeError as error:
        raise faults.broken(config, f"its login cannot be written in its encoding {config.encoding}") from error
    return f"Basic {base64.b64encode(octets).decode()}"


class RestTransport:
    """REST with kept-alive connections to one address."""

    def __init__(self, config: MikroTikConnectionConfig, address: str) -> None:
        self.peer = Peer(address)
        self._config = config
        host = f"[{address}]" if ":" in address else address
        self._base = f"{'https' if config.https else 'http'}://{host}:{config.service_port}/rest"
        self._session = aiohttp.ClientSession(
            headers={"Authorization": _basic(config)},
            connector=aiohttp.TCPConnector(limit=1, ssl=_tls_context()),
            timeout=aiohttp.ClientTimeout(),  # the caller's deadline is for the whole call
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    @property
    def alive(self) -> bool:
        """REST opens its connections as it needs them."""
        return True

    async def read(self, what: Read) -> list[Row]:
        """Read rows."""
        query = {".proplist": ",".join(what.fields), **what.where}
        return await self._request("GET", what.menu, what.menu, query=query)

    async def run(self, command: Command) -> list[Row]:
        """Run a command; ``add`` answers one row with ``ret``, as the other ways do."""
        arguments = dict(command.arguments)
        method = _METHODS.get(command.verb, "POST")
        path = command.menu
        if method == "POST":
            path = f"{path}/{command.verb}"
        elif method != "PUT":
            if identity := arguments.pop(".id", ""):
                path = f"{path}/{identity}"
            else:
                method, path = "POST", f"{path}/{command.verb}"
        rows = await self._request(method, path, command.menu or "/", body=arguments, secrets=command.secrets)
        if method == "PUT":
            return [{"ret": row[".id"]} for row in rows if ".id" in row]
        return rows if method == "POST" else []

    async def console(self, script: str) -> str | None:
        """REST is used without its console."""
        return None

    async def close(self) -> None:
        """Close at once; TLS is not taken down in form."""
        await self._session.close()

    async def _request(
        self,
        method: str,
        path: str,
        subject: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
    ) -> list[Row]:
        fingerprint = self.peer.proof
        try:
            async with self._session.request(
                method,
                self._base + path,
                params=query,
                json=body if method != "DELETE" else None,
                allow_redirects=False,
                ssl=aiohttp.Fingerprint(bytes.fromhex(fingerprint)) if fingerprint else True,
            ) as response:
                octets = await self._body(response)
                status = response.status
        except aiohttp.ServerFingerprintMismatch as error:
            raise faults.fingerprint_changed(self._config, error.got.hex()) from error
        except aiohttp.ClientConnectorError as error:
            raise faults.connect_fault(error.os_error, self._config) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise faults.broken(self._config, f"HTTP failed ({type(error).__name__})") from error
        if len(octets) > BIG_REPLY_OCTETS:
            rows = await asyncio.to_thread(read_reply, octets, self._config.encoding)
        else:
            rows = read_reply(octets, self._config.encoding)
        if not 200 <= status < 300:
            raise self._refusal(status, rows, subject, secrets)
        if rows is None:
            raise faults.broken(self._config, "it is not JSON")
        return rows

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_chunked(_CHUNK):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_REPLY_OCTETS:
                raise faults.broken(self._config, f"it is longer than {MAX_REPLY_OCTETS >> 20} MiB")
        return b"".join(pieces)

    def _refusal(self, status: int, rows: list[Row] | None, subject: str, secrets: tuple[str, ...]) -> MikroTikError:
        said = rows[0] if rows else {}
        words = said.get("detail") or said.get("message") or ""
        if status == 401:
            return faults.login_refused(self._config)
        if status in (403, 405):
            return faults.refusal("not enough permissions", self._config, subject)
        if status == 404 and not said.get("detail"):
            return faults.refusal("no such command", self._config, subject)
        if 300 <= status < 400 or not said:
            return faults.broken(self._config, f"HTTP status {status}")
        return faults.refusal(words, self._config, subject, secrets)


def read_reply(octets: bytes, encoding: str) -> list[Row] | None:
    """Return the rows of a reply, ``None`` if it is not JSON of rows. Total."""
    if not octets.strip():
        return []
    try:
        value = json.loads(octets.decode(encoding, "replace"))
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return None
    return [{name: _text(field) for name, field in row.items()} for row in value]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
