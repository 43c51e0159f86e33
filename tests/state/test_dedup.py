"""How long replies are kept: long enough for every retransmission, and in a bounded table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.state import dedup
from radiuscore.state.dedup import LIFETIME_S, MAX_ENTRIES, DuplicateTable
from radiuscore.state.moment import Moment

KEY, AUTHENTICATOR, REPLY = b"key", bytes(16), b"reply"


def at(seconds: float) -> Moment:
    return Moment(50_000.0 + seconds, 1_795_435_200.0)


def test_a_reply_is_found_under_its_key_and_authenticator_only() -> None:
    table = DuplicateTable()
    assert table.find(KEY, AUTHENTICATOR, at(0)) is None
    table.remember(KEY, AUTHENTICATOR, REPLY, at(0))
    assert table.find(KEY, AUTHENTICATOR, at(0)) == (AUTHENTICATOR, REPLY)
    assert table.find(KEY, b"\1" * 16, at(0)) is None
    assert table.find(b"other", AUTHENTICATOR, at(0)) is None


def test_a_request_in_flight_is_found_without_a_reply_and_then_with_it() -> None:
    table = DuplicateTable()
    table.remember(KEY, AUTHENTICATOR, None, at(0))
    assert table.find(KEY, AUTHENTICATOR, at(1)) == (AUTHENTICATOR, None)
    table.remember(KEY, AUTHENTICATOR, REPLY, at(2))
    assert table.find(KEY, AUTHENTICATOR, at(3)) == (AUTHENTICATOR, REPLY)


@given(
    asked=st.lists(st.floats(0, 40), max_size=60),
    made=st.floats(0, 20),
    age=st.floats(0, LIFETIME_S, exclude_max=True),
)
def test_a_reply_lives_one_lifetime_whatever_else_is_asked(asked: list[float], made: float, age: float) -> None:
    table = DuplicateTable()
    for moment in sorted(time for time in asked if time <= made):
        table.find(b"other", AUTHENTICATOR, at(moment))
        table.remember(b"other", AUTHENTICATOR, REPLY, at(moment))
    table.find(KEY, AUTHENTICATOR, at(made))
    table.remember(KEY, AUTHENTICATOR, REPLY, at(made))
    for moment in sorted(time for time in asked if made < time <= made + age):
        table.find(b"other", AUTHENTICATOR, at(moment))
        table.remember(b"other", AUTHENTICATOR, REPLY, at(moment))
    assert table.find(KEY, AUTHENTICATOR, at(made + age)) == (AUTHENTICATOR, REPLY)


@given(asked=st.lists(st.floats(0, 60), max_size=60), later=st.floats(0.01, 100))
def test_a_reply_lives_at_most_three_lifetimes(asked: list[float], later: float) -> None:
    table = DuplicateTable()
    table.find(KEY, AUTHENTICATOR, at(0))
    table.remember(KEY, AUTHENTICATOR, REPLY, at(0))
    end = 3 * LIFETIME_S + later
    for moment in sorted(time for time in asked if time < end):
        table.find(b"other", AUTHENTICATOR, at(moment))
        table.remember(b"other", AUTHENTICATOR, REPLY, at(moment))
    assert table.find(KEY, AUTHENTICATOR, at(end)) is None


def test_the_table_holds_two_generations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "MAX_ENTRIES", 1000)
    table = DuplicateTable()
    for number in range(5000):
        table.remember(number.to_bytes(4, "big"), AUTHENTICATOR, REPLY, at(0))
        assert len(table) <= 2000
    # The younger generation and the one before it are still there.
    assert table.find((4999).to_bytes(4, "big"), AUTHENTICATOR, at(0)) is not None
    assert table.find((4001).to_bytes(4, "big"), AUTHENTICATOR, at(0)) is not None
    assert table.find((2999).to_bytes(4, "big"), AUTHENTICATOR, at(0)) is None


def test_the_generations_turn_over_at_100_000_entries() -> None:
    table = DuplicateTable()
    for number in range(MAX_ENTRIES + 1):
        table.remember(number.to_bytes(4, "big"), AUTHENTICATOR, REPLY, at(0))
    assert MAX_ENTRIES == 100_000
    assert len(table) == MAX_ENTRIES + 1
    assert table.find(bytes(4), AUTHENTICATOR, at(0)) == (AUTHENTICATOR, REPLY)
    for number in range(MAX_ENTRIES + 1, 2 * MAX_ENTRIES + 1):
        table.remember(number.to_bytes(4, "big"), AUTHENTICATOR, REPLY, at(0))
    assert table.find(bytes(4), AUTHENTICATOR, at(0)) is None


def test_a_newer_request_replaces_an_older_one_of_either_generation() -> None:
    table = DuplicateTable()
    table.remember(KEY, AUTHENTICATOR, REPLY, at(0))
    assert not table.is_replaced(KEY, AUTHENTICATOR)
    table.find(b"other", AUTHENTICATOR, at(LIFETIME_S + 1))  # a turn
    table.remember(KEY, b"\1" * 16, None, at(LIFETIME_S + 1))
    assert table.is_replaced(KEY, AUTHENTICATOR)
    assert not table.is_replaced(KEY, b"\1" * 16)
    assert table.find(KEY, AUTHENTICATOR, at(LIFETIME_S + 2)) is None


def test_only_the_request_itself_is_forgotten() -> None:
    table = DuplicateTable()
    table.remember(KEY, AUTHENTICATOR, None, at(0))
    table.forget(KEY, b"\1" * 16)
    assert table.find(KEY, AUTHENTICATOR, at(0)) == (AUTHENTICATOR, None)
    table.forget(KEY, AUTHENTICATOR)
    assert table.find(KEY, AUTHENTICATOR, at(0)) is None
    table.forget(KEY, AUTHENTICATOR)
    assert len(table) == 0


def test_a_request_that_was_forgotten_is_so_in_both_generations() -> None:
    table = DuplicateTable()
    table.find(KEY, AUTHENTICATOR, at(0))
    table.remember(KEY, AUTHENTICATOR, None, at(0))
    table.find(KEY, AUTHENTICATOR, at(LIFETIME_S + 1))
    table.remember(KEY, AUTHENTICATOR, REPLY, at(LIFETIME_S + 1))
    table.forget(KEY, AUTHENTICATOR)
    assert table.find(KEY, AUTHENTICATOR, at(LIFETIME_S + 1)) is None
