"""RouterOS over SSH: the only importer of asyncssh. One command per channel, read by marks, never by its exit status.

The login is ``user+ct511w``: no colours, no terminal detection, 511 columns. Only the password is offered, never a key
or an agent of this machine, and no configuration or known-hosts file is read. The host key is the pinned one, or is
accepted once and shown.
"""

import logging
import secrets
from typing import Final

import asyncssh

from mikrotik import faults
from mikrotik.clitext import parse_block, parse_entries, parse_table
from mikrotik.config import MikroTikConnectionConfig
from mikrotik.console import (
    command_line,
    complains,
    complaint,
    console_menu,
    read_marked,
    read_script,
    run_script,
    without_noise,
)
from mikrotik.errors import HostKeyChanged, MikroTikError, PermissionMissing, ProtocolFailed
from mikrotik.transport import MAX_REPLY_OCTETS, Command, Peer, Read, Row

_CONSOLE_OPTIONS: Final = "+ct511w"
_CHUNK: Final = 1 << 16
_LEGACY_KEX: Final = "+diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1"
_LEGACY_CIPHERS: Final = "+aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc"
_RSA: Final = ("rsa-sha2-256", "rsa-sha2-512", "ssh-rsa")


class _HideCommands(logging.Filter):
    """asyncssh logs whole commands; ours may carry a RADIUS secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Command:" not in str(record.msg)


logging.getLogger("asyncssh").addFilter(_HideCommands())


class _Client(asyncssh.SSHClient):
    """Judges the host key, before the password is sent."""

    def __init__(self, pin: str | None) -> None:
        self.shown: str | None = None
        self._pin = pin

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = f"{key.get_algorithm()} {key.get_fingerprint()}"
        return self._pin in (None, self.shown)


async def connect(config: MikroTikConnectionConfig, address: str) -> "SshTransport":
    """Open a connection to ``address`` and log in. Cancelling closes it. Raises `MikroTikError`."""
    client = _Client(config.ssh_host_key)
    try:
        connection, _ = await asyncssh.create_connection(
            lambda: client,
            address,
            config.service_port,
            username=config.username + _CONSOLE_OPTIONS,
            password=config.password,
            options=asyncssh.SSHClientConnectionOptions(
                config=None,
                known_hosts=([], [], []),  # nothing is known: `_Client` decides
                client_keys=None,
                agent_path=None,
                gss_host=None,
                preferred_auth="password,keyboard-interactive",
                kex_algs=_LEGACY_KEX if config.ssh_legacy else (),
                encryption_algs=_LEGACY_CIPHERS if config.ssh_legacy else (),
                server_host_key_algs=_host_key_algorithms(config.ssh_host_key),
                login_timeout=config.timeout + 1,
            ),
        )
    except OSError as error:
        raise faults.connect_fault(error, config) from error
    except asyncssh.Error as error:
        raise _connect_fault(error, config, client) from error
    return SshTransport(connection, config, Peer(address, client.shown))


def _host_key_algorithms(pin: str | None) -> tuple[str, ...]:
    """Ask for the pinned kind of key: a router that gained a second kind would otherwise look changed."""
    if pin is None:
        return ()
    algorithm = pin.partition(" ")[0]
    return _RSA if algorithm == "ssh-rsa" else (algorithm,)


def _connect_fault(error: asyncssh.Error, config: MikroTikConnectionConfig, client: _Client) -> MikroTikError:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostKeyChanged(
            f"{config.host} shows another SSH host key than the pinned one ({client.shown}).",
            "If the router was reset or replaced, compare the key on the router (/ip ssh export-host-key) and pin the "
            "new one. Otherwise somebody is in between: do not log in.",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return faults.login_refused(config)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return ProtocolFailed(
            f"{config.host} and this server have no SSH algorithm in common.",
            "On the router: /ip ssh set strong-crypto=yes and a RouterOS of 6.45 or later; else allow old algorithms "
            "(ssh_legacy) for this device.",
        )
    if isinstance(error, asyncssh.ConnectionLost) and client.shown is None:
        return faults.refused(config)
    return faults.broken(config, f"no SSH session came about ({faults.shown(error.reason, config.secrets)})")


class SshTransport:
    """A logged-in SSH connection; one command at a time (the client holds a lock)."""

    def __init__(self, connection: asyncssh.SSHClientConnection, config: MikroTikConnectionConfig, peer: Peer) -> None:
        self.peer = peer
        self._connection = connection
        self._config = config
        self._by_text: set[str] = set()  # menus that our scripts could not read

    @property
    def alive(self) -> bool:
        """Whether the router has not hung up."""
        return not self._connection.is_closed()

    async def read(self, what: Read) -> list[Row]:
        """Read by a script; on a console that does not run it, by what ``print`` shows."""
        if what.menu in self._by_text:
            return await self._read_text(what)
        mark = secrets.token_hex(8)
        output = await self.output(read_script(what, mark))
        rows = read_marked(output, mark)
        if rows or (rows is not None and not what.single):
            return rows
        said = faults.refusal(complaint(output), self._config, what.menu)
        if isinstance(said, PermissionMissing):
            raise said
        rows = await self._read_text(what)  # what is unknown, the menu or our script? This tells.
        if rows:
            self._by_text.add(what.menu)
        return rows

    async def _read_text(self, what: Read) -> list[Row]:
        menu = console_menu(what.menu)
        if what.single:
            text = await self._printed(f"{menu} print", what.menu)
            return parse_entries(text) or parse_table(text) or ([block] if (block := parse_block(text)) else [])
        rows = parse_entries(await self._printed(f"{menu} print detail without-paging", what.menu))
        if what.menu == "/interface" and "rx-byte" in what.fields:
            counters = parse_table(await self._printed(f"{menu} print stats without-paging", what.menu))
            by_name = {row.get("name"): row for row in counters}
            rows = [by_name.get(row.get("name"), {}) | row for row in rows]
        return [
            {name: row[name] for name in what.fields if name in row}
            for row in rows
            if all(row.get(name) == value for name, value in what.where.items())
        ]

    async def _printed(self, line: str, subject: str) -> str:
        output = await self.output(line)
        if complains(output):
            raise faults.refusal(complaint(output), self._config, subject)
        return output

    async def run(self, command: Command) -> list[Row]:
        """Run a command; ``add`` answers one row with ``ret``."""
        mark = secrets.token_hex(8)
        output = await self.output(run_script(command, mark))
        rows = read_marked(output, mark)
        if rows is not None:
            return rows
        said = complaint(output) or f"nothing was said about {command_line(Command(command.menu, command.verb))}"
        raise faults.refusal(said, self._config, command.menu or "/", command.secrets)

    async def console(self, script: str) -> str | None:
        """Run a line and return what it printed, without log lines; raises what the console complains about."""
        return without_noise(await self._printed(script, "the console"))

    async def output(self, line: str) -> str:
        """Run one line in a channel of its own and return all it prints, within `MAX_REPLY_OCTETS`."""
        try:
            process = await self._connection.create_process(line, encoding=None, stderr=asyncssh.STDOUT)
            try:
                return (await self._collect(process)).decode(self._config.encoding, "replace")
            finally:
                process.channel.abort()
        except (asyncssh.Error, OSError) as error:
            raise faults.broken(self._config, "the connection was closed in the middle") from error

    async def _collect(self, process: "asyncssh.SSHClientProcess[bytes]") -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await process.stdout.read(_CHUNK):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_REPLY_OCTETS:
                raise faults.broken(self._config, f"it is longer than {MAX_REPLY_OCTETS >> 20} MiB")
        return b"".join(pieces)

    async def close(self) -> None:
        """Close at once, without a farewell."""
        self._connection.abort()
