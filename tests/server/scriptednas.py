"""A NAS that does what a test says: it keeps what it is asked, and sends back octets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final, NamedTuple

from radiuscore.server.dynauth import Target
from radiuscore.testing.udp import Address, UdpSocket
from radiuscore.wire.packet import Pair, encode_attributes, encode_reply
from radiuscore.wire.rfc import ACCT_SESSION_ID, USER_NAME
from radiuscore.wire.secret import SharedSecret

SECRET: Final = SharedSecret(b"s3cret")
ALICE: Final = encode_attributes([USER_NAME("alice"), ACCT_SESSION_ID("81d00000")])


def anybody(isp_id: int, nas_id: int, address: object) -> bool:
    """Let a client send to everybody."""
    return True


class Asked(NamedTuple):
    """A datagram that came to a NAS, and from where."""

    datagram: bytes
    source: Address


def acknowledge(datagram: bytes, *pairs: Pair, code: int | None = None, secret: SharedSecret = SECRET) -> bytes:
    """Return an ACK, or the answer that ``code`` says; signed by Message-Authenticator where it has attributes."""
    return encode_reply(
        code or datagram[0] + 1, datagram[1], datagram[4:20], encode_attributes(pairs), secret, sign=bool(pairs)
    )


class ScriptedNas:
    """A UDP port. ``asked`` is all that came; ``answer`` makes what goes back at once."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.asked: Final[list[Asked]] = []
        self.answer = answer
        self.socket: Final = UdpSocket(self._on_datagram)
        self._unread: asyncio.Queue[Asked] = asyncio.Queue()

    def _on_datagram(self, datagram: bytes, source: Address) -> bytes | None:
        asked = Asked(datagram, source)
        self.asked.append(asked)
        self._unread.put_nowait(asked)
        return self.answer(datagram)

    async def next(self) -> Asked:
        async with asyncio.timeout(10):
            return await self._unread.get()

    @property
    def target(self) -> Target:
        host, port = self.socket.address
        return Target(1, 1, ip_address(host), port, SECRET)


@asynccontextmanager
async def scripted(
    answer: Callable[[bytes], bytes | None] = lambda _: None, host: str = "127.0.0.1"
) -> AsyncIterator[ScriptedNas]:
    """Open a NAS's port; it is silent unless ``answer`` is given."""
    nas = ScriptedNas(answer)
    await nas.socket.open((host, 0))
    try:
        yield nas
    finally:
        await nas.socket.close()
