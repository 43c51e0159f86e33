"""The RouterOS API over TCP, as its manual describes it, with faults on demand."""

import asyncio
import hashlib
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.mikrotik.standin.state import Refusal, Router, Row


def encode_word(word: bytes) -> bytes:
    size = len(word)
    for limit, prefix, octets in ((0x80, 0, 1), (0x4000, 0x80, 2), (0x200000, 0xC0, 3), (0x10000000, 0xE0, 4)):
        if size < limit:
            return (size | prefix << 8 * (octets - 1)).to_bytes(octets, "big") + word
    return b"\xf0" + size.to_bytes(4, "big") + word


def encode_sentence(*words: str) -> bytes:
    return b"".join(encode_word(word.encode()) for word in words) + b"\x00"


async def read_sentence(reader: asyncio.StreamReader) -> list[str]:
    words: list[str] = []
    while word := await _read_word(reader):
        words.append(word.decode())
    return words


async def _read_word(reader: asyncio.StreamReader) -> bytes:
    first = (await reader.readexactly(1))[0]
    for bits, more in ((0x80, 0), (0xC0, 1), (0xE0, 2), (0xF0, 3)):
        if first < bits:
            rest = await reader.readexactly(more)
            mask = {0: 0x7F, 1: 0x3F, 2: 0x1F, 3: 0x0F}[more]
            return await reader.readexactly(int.from_bytes(bytes([first & mask]) + rest, "big"))
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))


class ApiServer:
    """Serves one router. ``fault`` is what goes wrong: at connect (``eof``, ``hang``, ``garbage``) or in an answer."""

    def __init__(self, router: Router, fault: str = "") -> None:
        self.router = router
        self.fault = fault
        self.port = 0
        self.open = 0
        self.accepted = 0
        self.commands: list[list[str]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.gate = asyncio.Event()  # a test opens it to let a ``wait`` answer through

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.accepted += 1
        try:
            await self._session(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, UnicodeDecodeError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault == "eof":
            return
        if self.fault == "garbage":
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 20)
            await reader.read()
            return
        logged_in = False
        challenge = secrets.token_bytes(16)
        while True:
            words = await read_sentence(reader)
            self.commands.append(words)
            if self.fault == "hang":
                await reader.read()
                return
            if words[0] == "/login":
                answer, logged_in = self._login(_attributes(words), challenge)
                writer.write(answer)
            elif not logged_in:
                writer.write(encode_sentence("!fatal", "not logged in"))
                return
            elif self.fault:
                if not await self._go_wrong(words, reader, writer):
                    return
            else:
                writer.write(self.answer(words))
            await writer.drain()

    def _login(self, given: Row, challenge: bytes) -> tuple[bytes, bool]:
        router = self.router
        if router.number < (6, 43) and "response" not in given:
            return encode_sentence("!done", f"=ret={challenge.hex()}"), False
        digest = hashlib.md5(b"\x00" + router.password.encode() + challenge, usedforsecurity=False).hexdigest()
        good = given.get("name") == router.username and (
            given.get("response") == "00" + digest or given.get("password") == router.password
        )
        if good:
            router.logins += 1
            return encode_sentence("!done"), True
        said = "cannot log in" if router.number < (6, 43) else "invalid user name or password (6)"
        return encode_sentence("!trap", f"=message={said}") + encode_sentence("!done"), False

    async def _go_wrong(self, words: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer wrongly; false if the connection is to be closed."""
        good = self.answer(words)
        match self.fault:
            case "silent":
                await reader.read()
                return False
            case "wait":
                await self.gate.wait()
                writer.write(good)
            case "cut":
                writer.write(good[: len(good) // 2])
                await writer.drain()
                return False
            case "fatal":
                writer.write(encode_sentence("!fatal", "session terminated on request"))
            case "bare fatal":
                writer.write(encode_sentence("!fatal"))
            case "reserved":
                writer.write(b"\xf8\x00\x00\x00")
            case "long word":
                writer.write(b"\xf0\xff\xff\xff\xff" + b"A" * 100)
            case "endless":
                with suppress(ConnectionError):
                    while not writer.is_closing():
                        writer.write(encode_sentence("!re", "=name=" + "A" * 60_000) * 8)
                        await writer.drain()
                        await asyncio.sleep(0)
                return False
            case "odd words":
                odd = encode_sentence("!re", "no equals sign", "=name") + encode_sentence("!re") + b"\x00\x00"
                writer.write(odd + good)
            case "bare trap":
                writer.write(encode_sentence("!trap") + encode_sentence("!done"))
            case "two answers":
                writer.write(good + good)
            case "drip":
                for octet in good:
                    writer.write(bytes([octet]))
                    await asyncio.sleep(0)
            case _:
                raise AssertionError(self.fault)
        return True

    def answer(self, words: list[str]) -> bytes:
        path, given = words[0], _attributes(words)
        menu, _, verb = path.rpartition("/")
        try:
            if verb in ("print", "getall"):
                return self._print(menu, given, [word[1:] for word in words if word.startswith("?")])
            return self._run(menu, verb, given)
        except Refusal as refusal:
            traps = (encode_sentence("!trap", f"=message={message}") for message in refusal.messages)
            return b"".join(traps) + encode_sentence("!done")

    def _print(self, menu: str, given: Row, queries: list[str]) -> bytes:
        wanted = given[".proplist"].split(",")  # a KeyError here is a client that forgot it
        equal = [query.split("=", 1) for query in queries]
        rows = [row for row in self.router.rows(menu) if all(row.get(name) == value for name, value in equal)]
        answer = b"".join(
            encode_sentence("!re", *(f"={name}={row[name]}" for name in wanted if name in row)) for row in rows
        )
        if not rows and self.router.number >= (7, 18):
            answer = encode_sentence("!empty")
        return answer + encode_sentence("!done")

    def _run(self, menu: str, verb: str, given: Row) -> bytes:
        router = self.router
        identity = given.pop(".id", None)
        match verb:
            case "add":
                return encode_sentence("!done", f"=ret={router.add(menu, given)}")
            case "set":
                router.change(menu, identity, given)
            case "remove":
                router.remove(menu, identity or "")
            case "monitor":
                row = router.monitor(menu, identity or "")
                return encode_sentence("!re", *(f"={name}={value}" for name, value in row.items())) + encode_sentence(
                    "!done"
                )
            case "export":
                router.write_export(given.pop("file"), set(given))
            case "read":
                return encode_sentence("!re", f"=data={router.read_file(given)}") + encode_sentence("!done")
            case _:
                raise router.unknown(menu)
        return encode_sentence("!done")


def _attributes(words: list[str]) -> Row:
    return dict(word[1:].split("=", 1) for word in words if word.startswith("="))


@asynccontextmanager
async def serve_api(router: Router, fault: str = "", tls: ssl.SSLContext | None = None) -> AsyncIterator[ApiServer]:
    """Serve the API on a free port of 127.0.0.1."""
    api = ApiServer(router, fault)
    server = await asyncio.start_server(api.accept, "127.0.0.1", 0, ssl=tls)
    api.port = server.sockets[0].getsockname()[1]
    try:
        yield api
    finally:
        server.close()
        for task in api.tasks:
            task.cancel()
        await asyncio.gather(*api.tasks, return_exceptions=True)
