"""The Dynamic Authorization Client and other people's software: pyrad, and Debian's radclient and hostapd."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from pyrad.dictionary import Dictionary
from pyrad.packet import CoAPacket

from radiuscore.aaa.dynauth import ReactionResult
from radiuscore.server.dynauth import DynAuthClient, Target
from radiuscore.wire.codes import Code, ErrorCause
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.rfc import FRAMED_IP_ADDRESS
from radiuscore.wire.secret import SharedSecret
from tests.server.scriptednas import ALICE, SECRET, acknowledge, anybody, scripted

AT = encode_attributes([FRAMED_IP_ADDRESS(IPv4Address("10.0.0.1"))])
FASTER = encode_attributes([MIKROTIK_RATE_LIMIT("50M/50M")])
HERE = ip_address("127.0.0.1")

PYRAD_DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Event-Timestamp 55 date
ATTRIBUTE Message-Authenticator 80 octets
ATTRIBUTE Error-Cause 101 integer
"""
RADCLIENT = shutil.which("radclient")
HOSTAPD = shutil.which("hostapd", path="/usr/sbin:/usr/bin:/sbin:/bin")


async def test_pyrad_believes_the_request_and_its_answer_is_believed(tmp_path: Path) -> None:
    (tmp_path / "dictionary").write_text(PYRAD_DICTIONARY)
    dictionary = Dictionary(str(tmp_path / "dictionary"))
    seen: list[Any] = []

    def answer(datagram: bytes) -> bytes:
        request = CoAPacket(packet=datagram, secret=SECRET.octets, dict=dictionary)
        assert request.VerifyCoARequest()
        assert request.verify_message_authenticator()
        seen.append(request)
        reply = request.CreateReply(**{"Error-Cause": int(ErrorCause.MISSING_ATTRIBUTE)})
        reply.code = Code.COA_NAK
        octets: bytes = reply.ReplyPacket()
        return octets

    async with DynAuthClient(anybody, waits_s=(10.0,)) as client, scripted(answer) as nas:
        outcome = await client.change(nas.target, ALICE + AT)

    assert outcome[:2] == (ReactionResult.REFUSED, 402)
    assert seen[0]["User-Name"] == ["alice"]
    assert seen[0]["Framed-IP-Address"] == ["10.0.0.1"]


@pytest.mark.program("radclient")
@pytest.mark.skipif(RADCLIENT is None, reason="radclient is not there (Debian's freeradius-utils)")
@pytest.mark.parametrize(("command", "code"), [("coa", Code.COA_REQUEST), ("disconnect", Code.DISCONNECT_REQUEST)])
async def test_radclient_sends_the_same_octets(command: str, code: Code) -> None:
    """Told the same identifier, time and attributes, in the same order, it makes the same packet."""
    said = [
        "Message-Authenticator = 0x00",
        "Event-Timestamp = 1795435200",
        "User-Name = alice",
        "Acct-Session-Id = 81d00000",
        "Framed-IP-Address = 10.0.0.1",
        "Mikrotik-Rate-Limit = 50M/50M",
    ]
    async with (
        scripted(acknowledge) as nas,
        DynAuthClient(anybody, waits_s=(10.0,), now=lambda: 1795435200.9) as client,
    ):
        ask = client.change if code is Code.COA_REQUEST else client.disconnect
        await run_radclient(nas.target, command, "\n".join(said))
        theirs = (await nas.next()).datagram
        for _ in range(256):  # it picks any identifier; ours come in turn
            await ask(nas.target, ALICE + AT + FASTER)
    assert theirs[0] == code
    assert [asked.datagram for asked in nas.asked].count(theirs) == 2


async def run_radclient(target: Target, command: str, said: str) -> None:
    assert RADCLIENT is not None
    peer = f"{target.address}:{target.port}"
    program = await asyncio.create_subprocess_exec(
        *(RADCLIENT, "-x", "-r", "1", "-t", "10", peer, command, target.secret.octets.decode()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(program.communicate(said.encode()), 30)
    assert program.returncode == 0, output.decode()


@pytest.fixture
async def hostapd(tmp_path: Path) -> AsyncIterator[Target]:
    """Debian's hostapd as a Dynamic Authorization Server that wants requests signed and dated."""
    if HOSTAPD is None:
        pytest.skip("hostapd is not there (Debian's hostapd)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [
        "driver=none",
        f"radius_das_port={port}",
        f"radius_das_client=127.0.0.1 {SECRET.octets.decode()}",
        "radius_das_require_event_timestamp=1",
        "radius_das_require_message_authenticator=1",
    ]
    config = tmp_path / "hostapd.conf"
    config.write_text("\n".join(lines) + "\n")
    program = await asyncio.create_subprocess_exec(
        HOSTAPD, "-d", str(config), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        assert program.stdout is not None
        said = b""
        async with asyncio.timeout(20):
            while b"AP-ENABLED" not in said:
                line = await program.stdout.readline()
                said += line
                assert line, said.decode()
        yield Target(1, 1, HERE, port, SECRET, HERE)
    finally:
        if program.returncode is None:
            program.terminate()
        await program.communicate()


@pytest.mark.program("hostapd")
async def test_hostapd_takes_a_disconnect_and_knows_no_such_session(hostapd: Target) -> None:
    async with DynAuthClient(anybody, waits_s=(10.0,)) as client:
        outcome = await client.disconnect(hostapd, ALICE)
    assert outcome[:2] == (ReactionResult.ALREADY_GONE, 503)

    async with DynAuthClient(anybody, waits_s=[0.25] * 2, now=lambda: 0.0) as client:
        outdated = await client.disconnect(hostapd, ALICE)
        unknown = await client.disconnect(hostapd._replace(secret=SharedSecret(b"x")), ALICE)
    assert outdated.result is unknown.result is ReactionResult.NO_ANSWER
