"""A router's sessions against ours. Pure: two lists in, the drift out; who acts on it is told nothing but facts.

A router writes a session as ``0x81D00000``, RADIUS as ``81d00000``; hotspot shows no session id, so there name and
address tell. A session younger than the grace may be on one side only: its Start, or its Stop, is on its way.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

from mikrotik.reading import acct_session_id
from mikrotik.records import HotspotSession, PppSession
from mikrotik.values import parse_mac

Address: TypeAlias = IPv4Address | IPv6Address
RouterSession: TypeAlias = PppSession | HotspotSession

GRACE: Final = timedelta(seconds=60)  # more than the retries of one accounting record


@dataclass(frozen=True, slots=True)
class OurSession:
    """An open session as accounting has it. ``key`` is the caller's and is given back."""

    key: Hashable
    acct_session_id: str
    username: str
    framed_ip_address: Address | None
    calling_station_id: str | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Drift:
    """Where router and accounting disagree. ``lost`` are ours that the router has not; ``unknown`` are the router's
    that we have not; ``local`` are the router's that RADIUS did not admit and nobody accounts for."""

    matched: tuple[tuple[OurSession, RouterSession], ...]
    lost: tuple[OurSession, ...]
    unknown: tuple[RouterSession, ...]
    local: tuple[RouterSession, ...]


def reconcile(
    ours: Sequence[OurSession], router: Sequence[RouterSession], read_at: datetime, *, grace: timedelta = GRACE
) -> Drift:
    """Compare our open sessions of one router with what it showed at ``read_at`` (aware). O(n) in both.

    A session is matched at most once; the surest sign decides: session id, address, MAC, each together with the name
    (ids come again after a reboot). Of several of ours with one sign the newest is meant.
    """
    waiting = dict(enumerate(sorted(ours, key=lambda session: session.started_at, reverse=True)))
    matched: dict[int, OurSession] = {}
    accounted = [(at, session) for at, session in enumerate(router) if session.radius is not False]
    for ours_signs, router_sign in _SIGNS:
        index: dict[Hashable, int] = {}
        for number, session in waiting.items():
            for sign in ours_signs(session):
                index.setdefault(sign, number)
        for at, shown in accounted:
            if at in matched:
                continue
            number_found = next((index[sign] for sign in router_sign(shown) if index.get(sign) in waiting), None)
            if number_found is not None:
                matched[at] = waiting.pop(number_found)
    return Drift(
        matched=tuple((session, router[at]) for at, session in sorted(matched.items(), key=lambda pair: pair[0])),
        lost=tuple(session for session in waiting.values() if read_at - session.started_at > grace),
        unknown=tuple(shown for at, shown in accounted if at not in matched and not _young(shown, grace)),
        local=tuple(session for session in router if session.radius is False),
    )


def _young(session: RouterSession, grace: timedelta) -> bool:
    return session.uptime_s is not None and session.uptime_s <= grace.total_seconds()


def _our_id(session: OurSession) -> Iterator[Hashable]:
    yield session.username.casefold(), acct_session_id(session.acct_session_id)


def _router_id(session: RouterSession) -> Iterator[Hashable]:
    if isinstance(session, PppSession) and session.acct_session_id:
        yield session.name.casefold(), session.acct_session_id


def _our_address(session: OurSession) -> Iterator[Hashable]:
    if session.framed_ip_address is not None:
        yield session.username.casefold(), session.framed_ip_address


def _router_address(session: RouterSession) -> Iterator[Hashable]:
    if session.address is not None and not _has_id(session):
        yield session.name.casefold(), session.address


def _our_mac(session: OurSession) -> Iterator[Hashable]:
    mac = parse_mac(session.calling_station_id or "")
    if mac is not None:
        yield session.username.casefold(), mac


def _router_mac(session: RouterSession) -> Iterator[Hashable]:
    mac = session.mac_address if isinstance(session, HotspotSession) else parse_mac(session.caller_id or "")
    if mac is not None and not _has_id(session):
        yield session.name.casefold(), mac


def _has_id(session: RouterSession) -> bool:
    """A session whose id is shown and is not ours is another one: a customer who was cut off and dialled again."""
    return isinstance(session, PppSession) and session.acct_session_id is not None


_SIGNS: Final = ((_our_id, _router_id), (_our_address, _router_address), (_our_mac, _router_mac))
