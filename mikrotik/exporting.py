"""A router's configuration as text. The console prints it; the API and REST write a file, read it and remove it.

RouterOS 7 hides secrets unless told to show them, RouterOS 6 shows them unless told to hide them, and each refuses the
other's word. ``terse`` puts each command on one line, so that two exports compare line by line.
"""

import asyncio
import secrets
from typing import Final

from mikrotik.errors import CommandRefused, MenuUnsupported
from mikrotik.transport import Command, Read, Row, Transport
from mikrotik.versions import Version

_PIECE: Final = 32768  # octets `/file/read` gives at most
_READS_FILES: Final = Version(7, 13)
_MAX_FILE: Final = 16 << 20
_WAITS: Final = 20  # a file just written may not be there yet
_WAIT_S: Final = 0.1


async def export(transport: Transport, version: Version, *, show_sensitive: bool) -> str:
    """Return ``/export terse`` with plain line ends. Its first line carries the date. Raises `MikroTikError`."""
    words = ["terse"]
    if version.major >= 7 and show_sensitive:
        words.append("show-sensitive")
    elif version.major < 7 and not show_sensitive:
        words.append("hide-sensitive")
    text = await transport.console("/export " + " ".join(words))
    if text is None:
        text = await _through_file(transport, version, words)
    return text.replace("\r\n", "\n").strip("\n") + "\n"


async def _through_file(transport: Transport, version: Version, words: list[str]) -> str:
    name = f"radiuscore-{secrets.token_hex(4)}"
    await transport.run(Command("", "export", {"file": name, **dict.fromkeys(words, "")}))
    row = await _file(transport, f"{name}.rsc")
    try:
        return await _contents(transport, version, row)
    finally:
        await transport.run(Command("/file", "remove", {".id": row[".id"]}))


async def _file(transport: Transport, name: str) -> Row:
    for _ in range(_WAITS):
        rows = await transport.read(Read("/file", (".id", "name", "size", "contents"), where={"name": name}))
        if rows and ".id" in rows[0]:
            return rows[0]
        await asyncio.sleep(_WAIT_S)
    raise CommandRefused(
        "The router wrote no export file.", "Its user needs the policies ftp and write, and its disk some free space."
    )


async def _contents(transport: Transport, version: Version, row: Row) -> str:
    size = int(row["size"]) if row.get("size", "").isdigit() else 0
    contents = row.get("contents", "")
    if contents and (size == 0 or len(contents.encode()) >= size):
        return contents
    if version < _READS_FILES or size > _MAX_FILE:
        raise MenuUnsupported(
            f"The export of {size} octets is too long for this way in on RouterOS {version}.",
            "Use SSH for exports of this router, or RouterOS 7.13 or later.",
        )
    pieces = []
    for offset in range(0, size, _PIECE):
        arguments = {"file": row["name"], "offset": str(offset), "chunk-size": str(_PIECE)}
        rows = await transport.run(Command("/file", "read", arguments))
        pieces.append(rows[0].get("data", "") if rows else "")
    return "".join(pieces)
