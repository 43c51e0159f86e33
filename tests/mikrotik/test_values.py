"""RouterOS values: read in every form a router shows, total on any text, and built so that they read back.

Of string literals, a small reader of the manual's escape table is the inverse.
"""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrotik import values
from mikrotik.values import quote
from mikrotik.versions import Version, parse_version


def read(literal: str) -> str:
    """Read a RouterOS string literal by the manual's table of escapes."""
    assert literal[0] == literal[-1] == '"'
    named = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "?": "?"}

    def octets(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if len(match[1]) == 2 else named[match[1]]

    return re.sub(r"\\([0-9A-F]{2}|.)", octets, literal[1:-1]).encode("latin-1").decode()


@given(st.text())
def test_a_quoted_text_reads_back_as_itself(text: str) -> None:
    assert read(quote(text)) == text


@given(st.text())
def test_a_literal_is_one_line_of_ascii_that_ends_where_it_should(text: str) -> None:
    literal = quote(text)

    assert literal.isascii()
    assert literal.isprintable()
    assert re.fullmatch(r'"(?:[^"\\$?]|\\.)*"', literal)


def test_what_the_console_would_act_on_is_escaped() -> None:
    assert quote('a$b"c\\d?é\n') == r'"a\$b\"c\\d\?\C3\A9\n"'


# What a router shows, in the form of its API and of its console, on versions 6 and 7.
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("44m55s", 2695),
        ("1w4d23h26m9s", 1034769),
        ("10w2d6h21m59s", 6243719),
        ("1d02:00:00", 93600),
        ("1w2d03:04:05", 788645),
        ("10:20:30", 37230),
        ("00:00:01.100", 1),
        ("9ms445us", 0),
        ("1s100ms", 1),
        ("300", 300),
        ("never", None),
        ("none", None),
        ("", None),
        ("5 minutes", None),
        ("1h1w", None),
        ("\u0661", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert values.seconds_of(text) == seconds


def test_parts_of_a_second() -> None:
    assert values.parse_duration("9ms445us") == timedelta(microseconds=9445)
    assert values.parse_duration("00:00:01.100") == timedelta(milliseconds=1100)


@given(st.timedeltas(timedelta(0), timedelta(days=3_000_000)))
def test_a_duration_reads_back_as_itself(duration: timedelta) -> None:
    assert values.parse_duration(values.build_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("268435456", 268435456),
        ("205 149 015", 205149015),
        ("40.2MiB", 42152755),
        ("1196.0KiB", 1224704),
        ("5.3KiB", 5427),
        ("0B", 0),
        ("18446744073709551615", 2**64 - 1),
        ("1,5MiB", None),
        ("20 5", None),
        ("-", None),
    ],
)
def test_sizes(text: str, octets: int | None) -> None:
    assert values.parse_size(text) == octets


@pytest.mark.parametrize(
    ("text", "rate"),
    [("0", 0), ("64k", 64_000), ("10M", 10_000_000), ("27.8kbps", 27_800), ("1G", 10**9), ("unlimited", None)],
)
def test_rates(text: str, rate: int | None) -> None:
    assert values.parse_rate(text) == rate


@given(st.integers(0, 10**18 - 1))
def test_a_rate_reads_back_as_itself(rate: int) -> None:
    assert values.parse_rate(values.build_rate(rate)) == rate


@given(st.booleans())
def test_a_boolean_reads_back_as_itself(truth: bool) -> None:
    assert values.parse_bool(values.build_bool(truth)) is truth


@given(st.lists(st.from_regex(r"[a-z0-9-]+", fullmatch=True)))
def test_a_list_reads_back_as_itself(parts: list[str]) -> None:
    assert values.parse_list(values.build_list(tuple(parts))) == tuple(parts)


def test_lists_pairs_macs_and_addresses() -> None:
    assert values.parse_list("ppp;hotspot") == ("ppp", "hotspot")
    assert values.split_pair("10M/20M") == ("10M", "20M")
    assert values.split_pair("10M") == ("10M", "10M")
    assert values.parse_mac("aa-bb-cc-dd-ee-ff") == "AA:BB:CC:DD:EE:FF"
    assert values.parse_mac("1:0:e1:c:38:c8:f8") is None
    assert values.parse_address("10.0.0.1/24") == IPv4Address("10.0.0.1")
    assert values.parse_address("10.0.0.1@main") == IPv4Address("10.0.0.1")
    assert values.parse_decimal("-12.5") == -12.5


@pytest.mark.parametrize(
    ("date", "time", "offset", "utc"),
    [
        ("jul/21/2023", "10:00:47", "+03:00", datetime(2023, 7, 21, 7, 0, 47, tzinfo=UTC)),
        ("2023-07-21", "23:30:00", "-03:30", datetime(2023, 7, 22, 3, 0, tzinfo=UTC)),
        ("2023-07-21", "10:00:47", "10800", datetime(2023, 7, 21, 7, 0, 47, tzinfo=UTC)),
        ("2023-07-21", "10:00:47", "4294949296", datetime(2023, 7, 21, 15, 0, 47, tzinfo=UTC)),  # -18000, unsigned
        ("jan/02/1970", "00:00:00", "+00:00", datetime(1970, 1, 2, tzinfo=UTC)),
        ("feb/31/2023", "10:00:47", "+00:00", None),
        ("21.7.2023", "10:00:47", "+00:00", None),
        ("2023-07-21", "10:00:47", "east", None),
    ],
)
def test_clocks_of_both_versions(date: str, time: str, offset: str, utc: datetime | None) -> None:
    assert values.parse_clock(date, time, offset) == utc


PARSERS = (
    *(values.parse_bool, values.parse_integer, values.parse_decimal, values.parse_size, values.parse_rate),
    *(values.parse_duration, values.seconds_of, values.parse_list, values.parse_date, values.parse_address),
    *(values.parse_mac, values.split_pair, parse_version),
)


@given(st.text() | st.from_regex(r"[0-9wdhms:.,;/ +-]{0,40}|[a-z]{3}/[0-9]{2}/[0-9]{4}", fullmatch=True))
def test_reading_is_total(text: str) -> None:
    """Whatever a router sends is a value or ``None``, never an error."""
    for parse in PARSERS:
        parse(text)
    values.parse_clock(text, text, text)
    values.parse_clock("2023-07-21", "10:00:47", text)
    values.parse_clock(text, "10:00:47", "+00:00")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("7.18.2 (stable)", Version(7, 18, 2)),
        ("6.49.17 (long-term)", Version(6, 49, 17)),
        ("7.16", Version(7, 16)),
        ("7.1beta4 (development)", Version(7, 1, 0, 1, 4)),
        ("7.16rc1 (testing)", Version(7, 16, 0, 2, 1)),
        ("unknown", None),
        ("", None),
    ],
)
def test_versions(text: str, version: Version | None) -> None:
    assert parse_version(text) == version
    if version is not None:
        assert parse_version(str(version)) == version


def test_versions_are_ordered_as_they_were_released() -> None:
    in_order = [
        "6.40.9",
        "6.43",
        "6.49.17",
        "7.1beta4",
        "7.1rc1",
        "7.1",
        "7.9.2",
        "7.10",
        "7.18beta2",
        "7.18",
        "7.18.2",
    ]
    parsed = [parse_version(text) for text in in_order]

    assert parsed == sorted(version for version in parsed if version is not None)
