"""Two exports compared. Their first line carries the date, and a long line may be broken: neither is a change."""

import difflib
import re
from typing import Final

_DATED: Final = re.compile(r"^# \S+ \S+ by (RouterOS .*)$")
_BROKEN: Final = re.compile(r"\\\n\s*")


def normalised(export: str) -> str:
    """Return an export as it compares: no date, plain line ends, broken lines joined, no trailing spaces."""
    text = _BROKEN.sub("", export.replace("\r\n", "\n"))
    lines = [line.rstrip() for line in text.strip().split("\n")]
    lines[0] = _DATED.sub(r"# by \1", lines[0])
    return "\n".join(lines) + "\n"


def differ(old: str, new: str) -> bool:
    """Tell whether two exports are of different configurations."""
    return normalised(old) != normalised(new)


def diff(old: str, new: str, *, old_name: str = "before", new_name: str = "after") -> str:
    """Return a unified diff of two exports; an empty text if they are of the same configuration."""
    lines = difflib.unified_diff(
        normalised(old).splitlines(), normalised(new).splitlines(), old_name, new_name, lineterm=""
    )
    return "".join(line + "\n" for line in lines)
