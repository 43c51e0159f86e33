"""RouterOS value forms <-> Python values. Reading is total: a text that is no such value gives ``None``.

Both forms of a router are read: what the API sends (``1d2h``, ``268435456``) and what its console shows
(``1d02:00:00``, ``256.0MiB``, ``205 149 015``). What is built here reads back as itself.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "$": "\\$", "?": "\\?"}

_YES: Final = frozenset({"yes", "true"})
_NO: Final = frozenset({"no", "false"})
_INTEGER: Final = re.compile(r"[+-]?\d{1,3}(?: \d{3})+|[+-]?\d{1,20}", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,20}(?:\.\d{1,9})?) ?(B|KiB|MiB|GiB|TiB)", re.ASCII)
_SIZES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_RATE: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([kMG]?)(?:bps)?", re.ASCII)
_RATES: Final = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_UNITS: Final = re.compile(
    r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?"
    r"(?:(\d{1,9})s)?(?:(\d{1,9})ms)?(?:(\d{1,9})us)?",
    re.ASCII,
)
_CLOCK: Final = re.compile(
    r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?",
    re.ASCII,
)
_DATE6: Final = re.compile(r"([a-z]{3})/(\d{2})/(\d{4})", re.ASCII | re.IGNORECASE)
_DATE7: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_TIME: Final = re.compile(r"(\d{2}):(\d{2}):(\d{2})", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d{2}):(\d{2})", re.ASCII)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def quote(text: str) -> str:
    """Return a text as a RouterOS string literal that means exactly this text, on one line of ASCII.

    ``$`` would begin a variable, and ``?`` shows help even inside quotes on RouterOS 6; what is not printable
    ASCII becomes its UTF-8 octets as upper-case ``\\XX``. (RouterOS manual: Scripting, Constant Escape Sequences.)
    """
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if " " <= character <= "~":
        return character
    return "".join(f"\\{octet:02X}" for octet in character.encode())


def parse_bool(text: str) -> bool | None:
    """Read ``yes``/``no`` (console) or ``true``/``false`` (API)."""
    return True if text in _YES else False if text in _NO else None


def build_bool(value: bool) -> str:
    """Return ``yes`` or ``no``, which every way in takes."""
    return "yes" if value else "no"


def parse_integer(text: str) -> int | None:
    """Read an integer; the console may group its digits with spaces."""
    return int(text.replace(" ", "")) if _INTEGER.fullmatch(text) else None


def parse_decimal(text: str) -> float | None:
    """Read a number such as a sensor's ``12.1``."""
    return float(text) if re.fullmatch(r"-?\d{1,15}(?:\.\d{1,9})?", text, re.ASCII) else None


def parse_size(text: str) -> int | None:
    """Read a size in octets: plain octets (API) or rounded with a unit (console: ``40.2MiB``)."""
    if (plain := parse_integer(text)) is not None:
        return plain
    match = _SIZE.fullmatch(text)
    return None if match is None else round(float(match[1]) * _SIZES[match[2]])


def parse_rate(text: str) -> int | None:
    """Read a rate in bit/s: ``512k``, ``10M``, ``27.8kbps``, ``2000000``. k is 1000. (RouterOS manual: Queues.)"""
    match = _RATE.fullmatch(text)
    if match is None:
        return None
    number = float(match[1]) if "." in match[1] else int(match[1])
    return round(number * _RATES[match[2]])


def build_rate(rate: int) -> str:
    """Return a rate in bit/s the way RouterOS prints it: with the largest unit that divides it."""
    for unit in ("G", "M", "k"):
        if rate and rate % _RATES[unit] == 0:
            return f"{rate // _RATES[unit]}{unit}"
    return str(rate)


def split_pair(text: str) -> tuple[str, str]:
    """Split ``up/down``; one value stands for both."""
    first, slash, second = text.partition("/")
    return (first, second) if slash else (first, first)


def parse_duration(text: str) -> timedelta | None:
    """Read ``1w2d3h4m5s``, ``9ms445us``, ``10:20:30``, ``1d02:00:00`` or a bare count of seconds; ``never`` is none."""
    if text.isascii() and text.isdigit() and len(text) <= 10:
        return timedelta(seconds=int(text))
    if match := _CLOCK.fullmatch(text):
        weeks, days, hours, minutes, seconds = (int(group or 0) for group in match.groups()[:5])
        micro = int((match[6] or "").ljust(6, "0") or 0)
        return timedelta(days, seconds, micro, 0, minutes, hours, weeks)
    match = _UNITS.fullmatch(text)
    if match is None or not text:
        return None
    weeks, days, hours, minutes, seconds, milli, micro = (int(group or 0) for group in match.groups())
    return timedelta(days, seconds, micro, milli, minutes, hours, weeks)


def build_duration(value: timedelta) -> str:
    """Return a non-negative duration as ``1w2d3h4m5s``, parts of a second as ``ms`` and ``us``; nothing is ``0s``."""
    seconds = value.days * 86400 + value.seconds
    parts = (
        (seconds // 604800, "w"),
        (seconds // 86400 % 7, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "m"),
        (seconds % 60, "s"),
        (value.microseconds // 1000, "ms"),
        (value.microseconds % 1000, "us"),
    )
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def seconds_of(text: str) -> int | None:
    """Read a duration as whole seconds."""
    duration = parse_duration(text)
    return None if duration is None else duration.days * 86400 + duration.seconds


def parse_list(text: str) -> tuple[str, ...]:
    """Read a list: commas in the API, semicolons where the console shows an array."""
    return tuple(filter(None, (part.strip() for part in re.split("[,;]", text))))


def build_list(values: tuple[str, ...]) -> str:
    """Return a list the way `add` and `set` take it."""
    return ",".join(values)


def parse_date(text: str) -> tuple[int, int, int] | None:
    """Read ``jul/21/2023`` (up to 7.9) or ``2023-07-21`` (from 7.10) as year, month, day."""
    if match := _DATE7.fullmatch(text):
        return int(match[1]), int(match[2]), int(match[3])
    match = _DATE6.fullmatch(text)
    if match is None or match[1].lower() not in _MONTHS:
        return None
    return int(match[3]), _MONTHS.index(match[1].lower()) + 1, int(match[2])


def parse_clock(date: str, time: str, gmt_offset: str) -> datetime | None:
    """Read ``/system clock`` as an aware time in UTC. ``gmt_offset`` is ``+03:00`` or seconds east of Greenwich.

    Scripts on some versions show a negative count of seconds as an unsigned number of 32 bits.
    """
    day, clock, offset = parse_date(date), _TIME.fullmatch(time), _offset(gmt_offset)
    if day is None or clock is None or offset is None:
        return None
    try:
        local = datetime(*day, int(clock[1]), int(clock[2]), int(clock[3]), tzinfo=timezone(offset))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> timedelta | None:
    if match := _OFFSET.fullmatch(text):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        offset = -offset if match[1] == "-" else offset
    elif re.fullmatch(r"-?\d{1,10}", text, re.ASCII):
        seconds = int(text)
        offset = timedelta(seconds=seconds - (1 << 32) if seconds >= 1 << 31 else seconds)
    else:
        return None
    return offset if abs(offset) < timedelta(days=1) else None


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; a prefix length or a VRF (``10.0.0.1@main``) after it is left out."""
    try:
        return ip_address(text.partition("@")[0].partition("/")[0])
    except ValueError:
        return None


def parse_mac(text: str) -> str | None:
    """Read a MAC address in any usual form, as ``AA:BB:CC:DD:EE:FF``."""
    digits = re.sub("[:.-]", "", text).upper()
    if not re.fullmatch("[0-9A-F]{12}", digits):
        return None
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))
