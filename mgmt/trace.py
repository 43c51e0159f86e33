"""`radiuscore trace`: a reader of the running server's trace socket."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from mgmt.faults import EXIT_USAGE, Fault
from mgmt.serve import run_dir
from mgmt.terminal import say
from mgmt.tracing import SOCKET_NAME
from radiuscore.server.channel import MAX_LINE, encode, reachable
from radiuscore.settings import Settings

_INDENT: Final = "    "


def trace(settings: Settings, nas: str | None, user: str | None) -> None:
    """Print packets until interrupted. Raises `Fault`."""
    if nas is None and user is None:
        raise Fault("Name a router with --nas or a customer with --user, or both.", EXIT_USAGE)
    asyncio.run(_print_packets(run_dir(settings), nas, user))


async def _print_packets(directory: Path, nas: str | None, user: str | None) -> None:
    async with aclosing(traced(directory, nas, user)) as packets:
        async for packet in packets:
            say(describe_event(packet) if packet else "Tracing; Ctrl-C ends it.")
    raise Fault("The server's management process ended the trace: it was stopped or is being replaced.")


async def traced(directory: Path, nas: str | None, user: str | None) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield each packet of a running server as it is traced; first an empty one, when tracing has begun.

    Ends with the server's management process. Raises `Fault` where no server runs or nothing can be traced.
    """
    try:
        with reachable(directory / SOCKET_NAME) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=MAX_LINE)
    except (FileNotFoundError, ConnectionRefusedError):
        raise Fault(
            f"No server runs with DATA_DIR {directory.parent}: start it, or set DATA_DIR as it has it."
        ) from None
    except PermissionError:
        raise Fault(f"{directory / SOCKET_NAME} is another user's: trace as the user the server runs as.") from None
    try:
        writer.write(encode({"nas": nas, "user": user}))
        while line := await reader.readline():
            event = orjson.loads(line)
            if event["kind"] == "fault":
                raise Fault(event["sentence"])
            yield {} if event["kind"] == "begun" else event
    except ConnectionError:
        return
    finally:
        writer.close()


def describe_event(event: Mapping[str, Any]) -> str:
    """Return a traced packet, its reply and the reason as lines for a person."""
    at = datetime.fromtimestamp(event["at"], UTC).strftime("%H:%M:%S.%f")[:-3]
    source = f"{event['source']} port {event['port']}"
    lines = [f"{at} ISP {event['isp_id']}, device {event['nas_id']}, from {source} to {event['server']}:"]
    lines += _indented(event["request"])
    if event["reply"] is None:
        lines.append(f"  no answer: {event['reason']}")
        return "\n".join(lines)
    lines.append(f"  answered ({event['reason']}):" if event["reason"] else "  answered:")
    lines += _indented(event["reply"])
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [_INDENT + line for line in text.splitlines()]
