"""The running server's end of `radiuscore trace`: a Unix socket of its own, one line of JSON per packet.

Who may open the socket is this server's user or root, so he may see every ISP. A trace ends with the connection that
asked for it, and workers forget it after an hour in any case.
"""

import asyncio
import logging
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from time import time
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson

from mgmt.store import isps
from radiuscore.aaa.names import username_key
from radiuscore.server.channel import encode, reachable
from radiuscore.server.channel_server import ChannelServer
from radiuscore.server.trace import TraceRequest
from radiuscore.store.pool import Connection, Pool

SOCKET_NAME: Final = "trace.sock"
LONGEST_S: Final = 3600.0
_BIGINT_DIGITS: Final = 19
MAX_WAITING: Final = 2000  # packets for one reader who is slower than the server

_LOG: Final = logging.getLogger(__name__)


class TraceFault(Exception):
    """What was asked for cannot be traced; one sentence for a person."""


class TraceServer:
    """Serves readers; ``on_event`` is what the channel's events go to."""

    def __init__(self, path: Path, pool: Pool) -> None:
        self._path = path
        self._pool = pool
        self._readers: dict[str, asyncio.Queue[Mapping[str, Any]]] = {}
        self._channel: ChannelServer | None = None
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self, channel: ChannelServer) -> None:
        """Begin to listen; a socket file that a predecessor left is replaced."""
        self._channel = channel
        with reachable(self._path) as name:
            self._server = await asyncio.start_unix_server(self._accept, name)
            self._path.chmod(0o600)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    def on_event(self, worker: int, event: Mapping[str, Any]) -> None:
        """Hand a traced packet to those who asked for it; one who does not read misses it."""
        if event.get("kind") != "trace":
            return
        for queue in {id(queue): queue for name in event["traces"] if (queue := self._readers.get(name))}.values():
            if not queue.full():
                queue.put_nowait(event)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun: list[str] = []
        try:
            asked = orjson.loads(await reader.readline())
            queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(MAX_WAITING)
            for request in await self._requests(asked["nas"], asked["user"]):
                self._readers[request.id] = queue
                begun.append(request.id)
                assert self._channel is not None
                self._channel.trace(request)
            writer.write(encode({"kind": "begun"}))
            await _copy(queue, reader, writer)
        except TraceFault as fault:
            writer.write(encode({"kind": "fault", "sentence": str(fault)}))
        except (OSError, ValueError, KeyError, TypeError) as error:  # gone, or no command of ours
            _LOG.info("a trace ended", extra={"why": str(error) or type(error).__name__})
        finally:
            for name in begun:
                del self._readers[name]
                assert self._channel is not None
                self._channel.untrace(name)
            writer.close()

    async def _requests(self, nas: str | None, user: str | None) -> list[TraceRequest]:
        key = None if user is None else username_key(user)
        try:
            async with self._pool.acquire() as db:
                targets = await find_targets(db, nas, key)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise TraceFault("The database does not answer, so nobody knows which device is meant.") from error
        until = time() + LONGEST_S
        return [TraceRequest(uuid4().hex, isp_id, nas_id, key, until) for isp_id, nas_id in targets]


async def find_targets(db: Connection, nas: str | None, key: str | None) -> list[tuple[int, int | None]]:
    """Return (isp_id, device id or ``None``) of what was asked for by address, id or username key.

    A name that nobody has is traced at every ISP, because that is what one wants to see. Raises `TraceFault`.
    """
    if nas is not None:
        is_id = nas.isdecimal() and len(nas) < _BIGINT_DIGITS
        found = await isps.find_device(db, int(nas)) if is_id else await find_at(db, nas)
        if not found:
            raise TraceFault(f"No device is registered with {nas}: the packets it sends are discarded as unknown_nas.")
        return list(found)
    having = await isps.find_isps_of_username(db, key) if key is not None else []
    return [(isp_id, None) for isp_id in having or await isps.list_ids(db)]


async def find_at(db: Connection, address: str) -> list[tuple[int, int]]:
    """Return (isp_id, device id) of the devices at an address. Raises `TraceFault` where it is not one."""
    try:
        return await isps.find_devices_at(db, str(ip_address(address)))
    except ValueError:
        raise TraceFault(f"{address!a} is neither the address nor the id of a device.") from None


async def _copy(
    queue: "asyncio.Queue[Mapping[str, Any]]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Send each packet until the other side ends the connection."""
    ended = asyncio.create_task(reader.read())
    try:
        while not ended.done():
            packet = asyncio.create_task(queue.get())
            await asyncio.wait((packet, ended), return_when=asyncio.FIRST_COMPLETED)
            if not packet.done():
                packet.cancel()
                break
            writer.write(encode(packet.result()))
            await writer.drain()
    finally:
        ended.cancel()
