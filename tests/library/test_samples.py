"""What docs/library.md shows runs as it stands there."""

import ast
import asyncio
import inspect
import re
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest

from radiuscore import AccountingEvent, RadiusServer
from radiuscore.attributes import MIKROTIK_RATE_LIMIT, SESSION_TIMEOUT
from radiuscore.dictionary import load_dictionary
from radiuscore.testing import FakeNas
from radiuscore.wire import rfc
from radiuscore.wire.authenticator import verify_reply
from radiuscore.wire.codes import AcctStatusType, Code
from radiuscore.wire.packet import decode, encode_attributes, encode_request
from radiuscore.wire.password import hide_password
from radiuscore.wire.secret import SharedSecret

GUIDE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
SECRET = SharedSecret(b"s3cret")
AUTHENTICATOR = bytes(range(16))


class Customer(NamedTuple):
    password: str


class Usage:
    """The sample's own store of what was used."""

    def __init__(self) -> None:
        self.events: list[AccountingEvent] = []

    async def add(self, event: AccountingEvent) -> None:
        self.events.append(event)


def block(name: str) -> str:
    """Return the code that the guide shows under ```python NAME."""
    (code,) = re.findall(rf"^```python {name}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(code)


def compiled(code: str) -> CodeType:
    made: CodeType = compile(code, "docs/library.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return made


async def execute(code: str, names: dict[str, Any]) -> None:
    result = eval(compiled(code), names)  # noqa: S307  # our own guide; a coroutine, for it awaits
    if inspect.iscoroutine(result):
        await result


def access_request(username: str, password: bytes, identifier: int = 7) -> bytes:
    pairs = [rfc.USER_NAME(username), rfc.USER_PASSWORD(hide_password(password, SECRET, AUTHENTICATOR))]
    octets = encode_attributes(pairs)
    return encode_request(Code.ACCESS_REQUEST, identifier, octets, SECRET, authenticator=AUTHENTICATOR, sign=True)


def names_of_the_reader() -> dict[str, Any]:
    return {
        "customers": {"alice": Customer("wonderland")},
        "usage": Usage(),
        "datagram": access_request("alice", b"wonderland"),
    }


async def entered(names: dict[str, Any], task: "asyncio.Task[None]") -> RadiusServer:
    """Return the sample's server once its sockets are open."""
    async with asyncio.timeout(5):
        while not task.done():
            server = names.get("server")
            if isinstance(server, RadiusServer) and server.running:
                return server
            await asyncio.sleep(0)
    await task
    raise AssertionError("the sample ended by itself")


async def test_the_sample_answers_without_sockets_as_it_is_written() -> None:
    names = names_of_the_reader()
    code = block("sample").rpartition("async with server")[0]
    assert 'server.handle(datagram, ("10.0.0.7", 40001))' in code
    await execute(code, names)

    reply = names["reply"]
    assert isinstance(reply, bytes)
    assert verify_reply(reply, names["datagram"], SECRET)
    packet = decode(reply)
    assert packet.code == Code.ACCESS_ACCEPT
    assert (MIKROTIK_RATE_LIMIT.first(packet), SESSION_TIMEOUT.first(packet)) == ("10M/50M", 3600)


@pytest.mark.parametrize(("username", "password"), [("alice", b"guess"), ("bob", b"wonderland")])
async def test_the_sample_rejects_who_is_not_its_customer(username: str, password: bytes) -> None:
    names = names_of_the_reader()
    await execute(block("sample").rpartition("async with server")[0], names)
    reply = names["server"].handle(access_request(username, password, 8), ("10.0.0.7", 40001))
    assert decode(reply).code == Code.ACCESS_REJECT


async def test_the_sample_awaits_what_is_stored() -> None:
    names = names_of_the_reader()
    await execute(block("sample").rpartition("async with server")[0], names)
    pairs = [rfc.ACCT_STATUS_TYPE(AcctStatusType.START), rfc.USER_NAME("alice"), rfc.ACCT_SESSION_ID("81000001")]
    request = encode_request(Code.ACCOUNTING_REQUEST, 1, encode_attributes(pairs), SECRET)

    outcome = names["server"].handle(request, ("10.0.0.7", 40001))

    assert isinstance(outcome, Awaitable)
    assert verify_reply(await outcome, request, SECRET)
    assert [event.acct_session_id for event in names["usage"].events] == ["81000001"]


async def test_the_whole_sample_serves_and_its_router_is_served() -> None:
    """The sample to its last line; only its addresses are others, so that the test needs no port of the machine's."""
    code = block("sample").replace("10.0.0.0/24", "127.0.0.0/24").replace('("0.0.0.0", 1812)', '("127.0.0.1", 0)')
    code = code.replace('("0.0.0.0", 1813)', '("127.0.0.1", 0)').replace("10.0.0.7", "127.0.0.7")
    names = names_of_the_reader()
    task = asyncio.create_task(execute(code, names))
    server = await entered(names, task)

    auth, acct = server.addresses
    router = block("fakenas").replace('auth=("127.0.0.1", 1812)', "auth=auth, acct=acct")
    await execute(router, {"auth": auth, "acct": acct, "MIKROTIK_RATE_LIMIT": MIKROTIK_RATE_LIMIT})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not server.running
    assert [event.status for event in names["usage"].events] == [1, 3, 2]


async def test_the_same_with_an_async_function_that_decides() -> None:
    code = block("sample").replace("def access(request):", "async def access(request):").replace("10.0.0.", "127.0.0.")
    code = re.sub(r'\("0\.0\.0\.0", 181[23]\)', '("127.0.0.1", 0)', code.replace("async async", "async"))
    names = names_of_the_reader()
    code = code.replace("reply = server.handle", "reply = await server.handle")
    task = asyncio.create_task(execute(code, names))
    server = await entered(names, task)
    async with FakeNas(SECRET.octets, auth=server.addresses[0]) as nas:
        assert (await nas.login("alice", "wonderland")).accepted
        assert not (await nas.login("alice", "guess")).accepted
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert decode(names["reply"]).code == Code.ACCESS_ACCEPT


def test_a_dictionary_adds_a_vendor(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.cisco"
    path.write_text(
        "VENDOR Cisco 9\nBEGIN-VENDOR Cisco\nATTRIBUTE Cisco-AVPair 1 string\nEND-VENDOR Cisco\n", encoding="utf-8"
    )
    attribute = load_dictionary(path).registry.by_name("Cisco-AVPair")
    assert attribute("ip:addr-pool=customers")[0] == 26


def test_the_guide_imports_only_what_is_public() -> None:
    modules = set(re.findall(r"^from ([\w.]+) import", GUIDE, re.MULTILINE))
    assert modules <= {"radiuscore", "radiuscore.attributes", "radiuscore.dictionary", "radiuscore.testing"}


def test_neither_the_sockets_nor_the_fake_router_need_a_database() -> None:
    program = (
        "import radiuscore.attributes, radiuscore.dictionary, radiuscore.server.udp, radiuscore.testing, sys;"
        "print([name for name in ('asyncpg', 'aiohttp', 'asyncssh', 'librouteros') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
