"""Drift between a router and accounting: found by the surest sign, with time for what is on its way."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from mikrotik.reading import parse_hotspot, parse_ppp
from mikrotik.reconcile import GRACE, OurSession, RouterSession, reconcile
from mikrotik.records import HotspotSession, PppSession

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def ours(
    number: int, name: str = "nina", *, age: int = 3600, address: str | None = "10.64.0.1", mac: str | None = None
) -> OurSession:
    started = NOW - timedelta(seconds=age)
    return OurSession(number, f"81d{number:05x}", name, IPv4Address(address) if address else None, mac, started)


def ppp(number: int, name: str = "nina", *, uptime: str = "1h", radius: str = "true", shown: bool = True) -> PppSession:
    session_id = {"session-id": f"0x81D{number:05X}"} if shown else {}
    return parse_ppp(
        {".id": f"*{number:X}", "name": name, "uptime": uptime, "radius": radius, "address": "10.64.0.1", **session_id}
    )


def hotspot(name: str, address: str, mac: str) -> HotspotSession:
    return parse_hotspot({".id": "*1", "user": name, "address": address, "mac-address": mac, "uptime": "1h"})


def test_a_session_is_the_same_in_either_spelling() -> None:
    drift = reconcile([ours(0xABC)], [ppp(0xABC)], NOW)

    assert drift.matched == ((ours(0xABC), ppp(0xABC)),)
    assert (drift.lost, drift.unknown, drift.local) == ((), (), ())


def test_what_only_one_side_has() -> None:
    drift = reconcile([ours(1), ours(2)], [ppp(2), ppp(3)], NOW)

    assert [session.key for session in drift.lost] == [1]
    assert drift.unknown == (ppp(3),)


def test_a_customer_who_dialled_again_is_lost_and_unknown() -> None:
    """Same name, same address, another session: the old one's Stop was lost."""
    drift = reconcile([ours(1)], [ppp(2)], NOW)

    assert ([one.key for one in drift.lost], drift.unknown) == ([1], (ppp(2),))


def test_an_id_that_came_again_after_a_reboot_is_another_session() -> None:
    drift = reconcile([ours(1, "nina")], [ppp(1, "otto")], NOW)

    assert ([one.key for one in drift.lost], drift.unknown) == ([1], (ppp(1, "otto"),))


def test_what_is_on_its_way_is_not_drift() -> None:
    young = int(GRACE.total_seconds())

    assert reconcile([ours(1, age=young)], [], NOW).lost == ()
    assert reconcile([ours(1, age=young + 1)], [], NOW).lost != ()
    assert reconcile([], [ppp(1, uptime=f"{young}s")], NOW).unknown == ()
    assert reconcile([], [ppp(1, uptime=f"{young + 1}s")], NOW).unknown != ()


def test_hotspot_is_matched_by_name_and_address_then_by_mac() -> None:
    mac = "02:00:00:00:00:01"
    by_address = ours(1, "Nina", address="192.168.10.2")
    by_mac = ours(2, mac, address=None, mac="02-00-00-00-00-01")
    shown = [hotspot("nina", "192.168.10.2", mac), hotspot(mac, "192.168.10.3", mac)]

    assert reconcile([by_mac, by_address], shown, NOW).matched == ((by_address, shown[0]), (by_mac, shown[1]))


def test_of_two_of_ours_the_newest_is_meant() -> None:
    old, new = ours(1, address="192.168.10.2", age=9000), ours(2, address="192.168.10.2", age=900)
    shown = hotspot("nina", "192.168.10.2", "02:00:00:00:00:01")

    drift = reconcile([old, new], [shown], NOW)
    assert drift.matched == ((new, shown),)
    assert drift.lost == (old,)


def test_sessions_that_radius_did_not_admit_are_nobodys() -> None:
    drift = reconcile([], [ppp(1, radius="false")], NOW)

    assert (drift.unknown, drift.local) == ((), (ppp(1, radius="false"),))


names = st.sampled_from(["nina", "otto", "NINA"])
our_lists = st.lists(st.builds(ours, st.integers(0, 5), names, age=st.integers(0, 200)), max_size=8)
router_lists = st.lists(
    st.builds(ppp, st.integers(0, 5), names, uptime=st.sampled_from(["10s", "5m"]), shown=st.booleans())
    | st.builds(hotspot, names, st.sampled_from(["10.64.0.1", "10.64.0.2"]), st.just("02:00:00:00:00:01")),
    max_size=8,
)


@given(our_lists, router_lists)
def test_every_session_is_accounted_for_once(mine: list[OurSession], shown: list[RouterSession]) -> None:
    drift = reconcile(mine, shown, NOW)

    used = [session for session, _ in drift.matched]
    assert len(used) + len(drift.lost) <= len(mine)
    assert len(drift.matched) + len(drift.unknown) <= len(shown)
    assert all(session in mine for session in (*used, *drift.lost))
    old = [session for session in mine if NOW - session.started_at > GRACE]
    assert len([session for session in used if session in old]) + len(drift.lost) == len(old)
