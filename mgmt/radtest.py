"""`radiuscore radtest`: one real request as a router of ours would send it, with what came of it and why."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import time
from typing import Final

from mgmt.database import open_database
from mgmt.faults import EXIT_USAGE, Fault
from mgmt.ports import is_own
from mgmt.standin import stand_in
from mgmt.store import logins
from mgmt.terminal import say
from radiuscore.aaa.changes import Snapshot
from radiuscore.aaa.names import text_of
from radiuscore.aaa.records import MessageAuthenticatorPolicy, Nas
from radiuscore.settings import Address, Settings
from radiuscore.store.pool import SYSTEM_ROLE, DirectConnection
from radiuscore.store.snapshot import load_snapshot
from radiuscore.testing import BadProof, FakeNas, Method, NoReply
from radiuscore.wire.registry import describe

LOGGED_WITHIN_S: Final = 4.0  # workers write the auth log once a second
POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Router:
    """As which router to ask: the device, and the address its packets come from."""

    nas: Nas = field(repr=False)
    address: str

    @property
    def title(self) -> str:
        """The router in words."""
        return f"device {self.nas.id} of ISP {self.nas.isp_id} ({self.nas.name}, {self.address})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a login: the reply decoded (``None``: silence), and the reason why it was refused."""

    accepted: bool
    reply: str | None
    reason: str


def radtest(settings: Settings, username: str, password: str, nas: str | None, method: str) -> int:
    """Print one login; return 0 if it was accepted, else 1. A password ``-`` is read from standard input."""
    if method not in list(Method):
        raise Fault(f"--method must be one of {', '.join(Method)}.", EXIT_USAGE)
    if password == "-":
        password = sys.stdin.readline().rstrip("\n")
    return asyncio.run(_radtest(settings, username, password, nas, Method(method)))


async def _radtest(settings: Settings, username: str, password: str, wanted: str | None, method: Method) -> int:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        async with database.server.connect(role=SYSTEM_ROLE) as db:
            snapshot = await load_snapshot(db, database.keyring)
        router = choose_router(snapshot.nases, wanted)
        if is_own(router.address):
            server = (_asked_address(settings, router.address), settings.radius_auth_port)
            say(f"Asking {server[0]} port {server[1]} as {router.title}, by {method}.")
            began = time()
            signs = may_sign(snapshot.nases, router)
            outcome = await log_in(server, router.address, router.nas.secret, username, password, method, signs=signs)
            if outcome.reply is not None and not outcome.accepted:
                accounting = await stack.enter_async_context(database.server.connect("accounting", role=SYSTEM_ROLE))
                outcome = await _with_logged_reason(accounting, router.nas, username, began, outcome)
        else:
            say(f"{router.address} is not this machine's, so the same engine is asked here, without the network.")
            say(f"Asking as {router.title}, by {method}.")
            outcome = await _ask_here(snapshot, router, username, password, method)
    return _report(outcome)


def choose_router(nases: Sequence[Nas], wanted: str | None) -> Router:
    """Return the device of that id or address; without either the one at an address of this machine, or the only one.

    Only devices with a RADIUS secret are in ``nases``. Raises `Fault`.
    """
    if wanted is None:
        found = [nas for nas in nases if is_own(_first_address(nas))] or list(nases)
    elif wanted.isdecimal():
        found = [nas for nas in nases if nas.id == int(wanted)]
    else:
        found = _at(nases, _parse(wanted))
    if not found:
        which = "of any ISP" if wanted is None else f"{wanted}"
        raise Fault(f"There is no device {which} with a RADIUS secret: see radiuscore create-isp --router.")
    if len(found) > 1:
        ids = ", ".join(f"{nas.id} (ISP {nas.isp_id}, {_first_address(nas)})" for nas in found[:10])
        raise Fault(f"There are several devices: choose one by its id with --nas, of {ids}.")
    address = _first_address(found[0]) if wanted is None or wanted.isdecimal() else str(_parse(wanted))
    return Router(found[0], address)


def may_sign(nases: Sequence[Nas], router: Router) -> bool:
    """Tell whether a signed request changes nothing for a device: with ``auto`` it would have to sign from then on.

    Several devices at one address are told apart by what is signed, so there it is.
    """
    latches = router.nas.require_message_authenticator is MessageAuthenticatorPolicy.AUTO
    learned = router.nas.message_authenticator_seen
    return learned or not latches or len(_at(nases, ip_address(router.address))) > 1


async def log_in(
    server: tuple[str, int],
    source: str,
    secret: bytes,
    username: str,
    password: str,
    method: Method,
    *,
    signs: bool = True,
) -> Outcome:
    """Send one Access-Request from ``source`` and judge the reply as a router does."""
    try:
        async with FakeNas(secret, auth=server, source=source, require_message_auth=signs) as nas:
            login = await nas.login(username, password, method)
    except NoReply as error:
        return Outcome(False, None, str(error))
    except BadProof as error:
        return Outcome(False, None, f"the server accepted, but {error}")
    return Outcome(login.accepted, describe(login.packet), login.reason)


async def _ask_here(snapshot: Snapshot, router: Router, username: str, password: str, method: Method) -> Outcome:
    async with stand_in(snapshot, router.address) as server:
        outcome = await log_in(server.address, "127.0.0.1", router.nas.secret, username, password, method)
        return outcome if outcome.accepted else Outcome(False, outcome.reply, server.reason or outcome.reason)


async def _with_logged_reason(db: DirectConnection, nas: Nas, username: str, began: float, outcome: Outcome) -> Outcome:
    """Return the outcome with the reason that staff are told; the customer's own text if the log has none in time."""
    deadline = time() + LOGGED_WITHIN_S
    while time() < deadline:
        logged = await logins.find_last(db, nas.isp_id, nas_id=nas.id, username=text_of(username.encode()), since=began)
        if logged is not None:
            return Outcome(outcome.accepted, outcome.reply, logged.reason)
        await asyncio.sleep(POLL_S)
    return outcome


def _report(outcome: Outcome) -> int:
    if outcome.reply is not None:
        say(outcome.reply)
    if outcome.accepted:
        say("Accepted.")
        return 0
    if outcome.reply is None:
        say(f"No answer: {outcome.reason}.")
        say("Does the server run, and on this port? Why it discards a packet: radiuscore trace --nas ADDRESS")
    else:
        say(f"Rejected, because of {outcome.reason}.")
    return 1


def _at(nases: Sequence[Nas], address: Address) -> list[Nas]:
    """Return the devices with the longest prefix that holds an address."""
    lengths = {
        nas: max((network.prefixlen for network in nas.networks if address in network), default=-1) for nas in nases
    }
    longest = max(lengths.values(), default=-1)
    return [nas for nas, length in lengths.items() if length == longest >= 0]


def _first_address(nas: Nas) -> str:
    network = nas.networks[0]
    return str(network[0] if network.num_addresses == 1 else network[1])


def _parse(address: str) -> Address:
    try:
        return ip_address(address)
    except ValueError:
        raise Fault("--nas must be the address or the id of a device, for example 192.0.2.1.", EXIT_USAGE) from None


def _asked_address(settings: Settings, source: str) -> str:
    """Return the address of the running server that this source reaches."""
    own = ip_address(source)
    listening = [host for host in settings.radius_hosts if host.version == own.version]
    if not listening:
        raise Fault(f"RADIUS_HOST has no address of the family of {source}, so the server cannot be asked from there.")
    return str(listening[0]) if not listening[0].is_unspecified else source
