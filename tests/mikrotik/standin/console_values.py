"""The console's values in tests: their types, how they are printed, and how the API's texts become them."""

import re
from datetime import timedelta
from typing import Any

from tests.mikrotik.standin.state import DURATIONS, FLAGS, LISTS, Row

NOTHING = object()
_UNITS = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?(?:(\d+)us)?")


class Identity(str):
    """An internal number such as ``*1A``."""


def typed(menu: str, name: str, value: str) -> Any:
    if name == ".id":
        return Identity(value)
    if (menu, name) in LISTS:
        return value.split(",") if "," in value else value
    if value in ("true", "false") and name in (*FLAGS, "use-radius", "accounting", "radius-accounting", "accept"):
        return value == "true"
    if name in DURATIONS and (match := _UNITS.fullmatch(value)) and value:
        weeks, days, hours, minutes, seconds, milli, micro = (int(group or 0) for group in match.groups())
        return timedelta(days, seconds, micro, milli, minutes, hours, weeks)
    return value


def show(value: Any) -> str:
    """Return a value as ``:put`` prints it."""
    if value is NOTHING:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(map(show, value))
    if isinstance(value, dict):
        return ";".join(f"{name}={show(one)}" for name, one in value.items())
    if isinstance(value, timedelta):
        hours, minutes = divmod(value.seconds // 60, 60)
        weeks, days = divmod(value.days, 7)
        parts = (f"{weeks}w" if weeks else "") + (f"{days}d" if days else "")
        micro = f".{value.microseconds:06}" if value.microseconds else ""
        return f"{parts}{hours:02}:{minutes:02}:{value.seconds % 60:02}{micro}"
    return str(value)


def element(value: Any, index: Any) -> Any:
    if isinstance(value, dict):
        return value.get(index, NOTHING)
    return value[index] if isinstance(value, list) and isinstance(index, int) and index < len(value) else NOTHING


def texts(given: dict[str, Any]) -> Row:
    return {
        name: ",".join(map(show, value)) if isinstance(value, list) else show(value) for name, value in given.items()
    }


def identities(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def typeof(value: Any) -> str:
    if value is NOTHING:
        return "nothing"
    for kind, name in ((bool, "bool"), (int, "num"), (list, "array"), (dict, "array"), (timedelta, "time")):
        if isinstance(value, kind):
            return name
    return "id" if isinstance(value, Identity) else "nil" if value is None else "str"
