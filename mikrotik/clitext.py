"""What ``print`` shows on a console -> rows, where our scripts do not run. Total, and only as exact as text is.

Three shapes: ``name: value`` blocks, entries of ``name=value`` (``detail`` and ``terse``), and tables with columns.
Flags before an entry become fields, by the legend printed above it (``Flags: X - disabled, R - running``; RouterOS 7
writes them in upper case). Values keep the router's own form; `values` reads both forms.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from mikrotik.console import without_noise
from mikrotik.transport import Row

_PAIR: Final = re.compile(r"(?:^|(?<=\s))([A-Za-z0-9.][A-Za-z0-9.-]*)=")
_ENTRY: Final = re.compile(r"^\s{0,8}(\d{1,6})(?: +([A-Za-z*+][A-Za-z*+ ]{0,12}?))?(?= +(?:;;;|[A-Za-z0-9.-]+=))")
_LEGEND: Final = re.compile(r"([A-Za-z*+]) - ([A-Za-z-]+)")
_BLOCK: Final = re.compile(r"^\s*([a-z0-9][a-z0-9.-]*): ?(.*)$")
_TABLE_ROW: Final = re.compile(r"^\s{0,8}\d{1,6}\s")


def parse_block(text: str) -> Row:
    """Read ``name: value`` lines; a note (``;;;``) above them and anything else is left out."""
    row: Row = {}
    for line in without_noise(text).splitlines():
        if match := _BLOCK.match(line):
            row.setdefault(match[1], match[2].strip())
    return row


def parse_entries(text: str, legend: Mapping[str, str] | None = None) -> list[Row]:
    """Read ``print detail`` or ``print terse``. ``legend`` names the flags where none is printed (terse)."""
    flags = dict(legend or {})
    rows: list[Row] = []
    collected: list[str] = []

    def finish() -> None:
        if collected:
            rows.append(_entry(collected, flags))
            collected.clear()

    for line in without_noise(text).splitlines():
        if line.lstrip().startswith("Flags:") or (not collected and _LEGEND.match(line.strip())):
            flags |= {letter: word.lower() for letter, word in _LEGEND.findall(line)}
        elif _ENTRY.match(line) or (not collected and _PAIR.match(line.lstrip())):
            finish()
            collected.append(line)
        elif collected and line.strip():
            collected.append(line)
        elif collected and not _ENTRY.match(collected[0]):
            finish()
    finish()
    return rows


def _entry(lines: list[str], legend: Mapping[str, str]) -> Row:
    row: Row = {}
    match = _ENTRY.match(lines[0])
    shown = (match[2] or "") if match else ""
    first = lines[0][match.end() :] if match else lines[0]
    rest = [first, *lines[1:]]
    if first.lstrip().startswith(";;;"):
        comment, rest = _comment(rest)
        row["comment"] = comment
    row |= {word: "true" if letter in shown else "false" for letter, word in legend.items()}
    row |= dict(_pairs(" ".join(line.strip() for line in rest)))
    return row


def _comment(lines: list[str]) -> tuple[str, list[str]]:
    """Split off a comment, which may have several lines; fields begin on an indented line of their own."""
    for index, line in enumerate(lines[1:], 1):
        if line.startswith(" ") and _PAIR.match(line.lstrip()):
            return "\n".join(part.strip().removeprefix(";;; ") for part in lines[:index]), lines[index:]
    return "\n".join(part.strip().removeprefix(";;; ") for part in lines), []


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields; an unquoted value goes on to the next name, for it may hold spaces (``ether3 UniFi1``)."""
    match = _PAIR.search(text)
    while match is not None:
        start = match.end()
        if text.startswith('"', start):
            value, end = _quoted(text, start)
            following = _PAIR.search(text, end)
        else:
            following = _PAIR.search(text, start)
            value = text[start : following.start() if following else len(text)].strip()
        yield match[1], value
        match = following


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Return a quoted value and where it ends; a missing quote ends it at the end of the text."""
    end = start + 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    inner = text[start + 1 : end]
    return re.sub(r'\\(["\\?$])', r"\1", inner), min(end + 1, len(text))


def parse_table(text: str) -> list[Row]:
    """Read a table: a line of column names, then numbered lines.

    Texts are aligned to the left, numbers to the right and in groups of digits; cells may be empty; a comment
    (``;;;``) takes the place of the cells, which then follow on a line without a number.
    """
    columns: list[tuple[str, int, int]] = []
    rows: list[Row] = []
    after_comment = False
    for line in without_noise(text).splitlines():
        if _is_header(line):
            columns = [(match[0].lower(), match.start(), match.end()) for match in re.finditer(r"[^\s#]\S*", line)]
            continue
        numbered = _TABLE_ROW.match(line) and (";;; " in line or not _ENTRY.match(line))
        if not columns or not (numbered or after_comment):
            continue
        note, mark, comment = line.partition(";;; ")
        if after_comment and rows:
            rows[-1] |= _cells(line, columns)
        else:
            rows.append({"comment": comment.strip()} if mark and not note[4:].strip(" XDIR") else _cells(line, columns))
        after_comment = not after_comment and "comment" in rows[-1]
    return rows


def _is_header(line: str) -> bool:
    names = line.split()
    return (
        len(names) > 1
        and not line.startswith(("Flags:", "Columns:"))
        and all(re.fullmatch(r"#|[A-Z][A-Z0-9.-]*", name) for name in names)
        and any(len(name) > 2 for name in names)
    )


def _cells(line: str, columns: list[tuple[str, int, int]]) -> Row:
    """Give each word to a column: the one it begins with; else that of the text it goes on; else the nearest."""
    row: Row = {}
    begin = columns[0][1]
    previous: tuple[str, int] | None = None  # the column and the end of the last word
    for match in re.finditer(r"\S+", line):
        word, start, end = match[0], match.start(), match.end()
        if end <= begin:
            continue
        column = next((name for name, left, _ in columns if left == start), None)
        if column is None and previous and start == previous[1] + 1 and not word.isdigit():
            column = previous[0]
        if column is None:
            column = min(columns, key=lambda one: max(one[1], start) - min(one[2], end))[0]
        row[column] = f"{row[column]} {word}" if column in row else word
        previous = (column, end)
    return row
