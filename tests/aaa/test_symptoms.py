"""Accepts that no session follows: a wrong secret, a lost reply, a plan that the router cannot put into force."""

import pytest

from radiuscore.aaa.authlog import AuthLogRow
from radiuscore.aaa.reasons import Meaning
from radiuscore.aaa.symptoms import (
    LOGIN_FAILS,
    REPLIES_DROPPED,
    SECRET_DIFFERS,
    UnusedAccepts,
    find_unused_accepts,
)

ONLINE, OFFLINE = b"o" * 16, b"f" * 16


def accepts(
    username: str, uuid: bytes, count: int = 3, method: str = "chap", nas_id: int = 1, isp_id: int = 1
) -> list[AuthLogRow]:
    row = AuthLogRow(0.0, isp_id, nas_id, 1, username, "accept", "", method, None, None, None, None, None, uuid)
    return [row] * count


def rejects(username: str) -> list[AuthLogRow]:
    rejected = accepts(username, OFFLINE)[0]._replace(outcome="reject", reason="expired", session_uuid=None)
    return [rejected] * 9


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], []),
        (accepts("anna", ONLINE), []),
        (accepts("anna", OFFLINE, 2), []),
        (accepts("anna", OFFLINE, 2) + accepts("anna", ONLINE, 1), []),
        (rejects("anna"), []),
        (accepts("anna", OFFLINE), [(1, 1, None, 3, SECRET_DIFFERS)]),
        (accepts("anna", OFFLINE, method="mschapv2"), [(1, 1, None, 3, SECRET_DIFFERS)]),
        (accepts("anna", OFFLINE, method="pap"), [(1, 1, None, 3, REPLIES_DROPPED)]),
        (accepts("anna", OFFLINE) + accepts("bob", OFFLINE, 4, "pap"), [(1, 1, None, 7, REPLIES_DROPPED)]),
        (accepts("anna", OFFLINE) + accepts("bob", OFFLINE, 1), [(1, 1, None, 3, SECRET_DIFFERS)]),
        (accepts("anna", OFFLINE) + accepts("bob", ONLINE, 1), [(1, 1, "anna", 3, LOGIN_FAILS)]),
        (accepts("anna", OFFLINE) + accepts("bob", ONLINE, 1, nas_id=2), [(1, 1, None, 3, SECRET_DIFFERS)]),
        (
            accepts("anna", OFFLINE) + accepts("anna", ONLINE, isp_id=2) + accepts("anna", OFFLINE, nas_id=3),
            [(1, 1, None, 3, SECRET_DIFFERS), (1, 3, None, 3, SECRET_DIFFERS)],
        ),
    ],
)
def test_tells_who_is_accepted_and_never_comes_online(
    rows: list[AuthLogRow], found: list[tuple[int, int, str | None, int, Meaning]]
) -> None:
    assert find_unused_accepts(rows, {ONLINE}) == [UnusedAccepts(*one) for one in found]
