"""have, want -> changes: a value that can be shown, pasted and applied. Pure; planning after applying gives nothing.

Only our own entries (marked in the comment) are added or removed, and only fields that are wanted are compared: all
others keep the router's value. Dynamic entries are the router's own. A secret that the router does not show cannot be
compared and is taken for right, unless it is to be written anyway.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mikrotik.console import command_line, console_menu
from mikrotik.intent import Scope, Wanted
from mikrotik.menus import COMMENT, Menu
from mikrotik.transport import Command, Row
from mikrotik.values import parse_bool, quote
from mikrotik.versions import Version

Fields: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Add:
    """An entry that is missing."""

    menu: Menu
    fields: Fields = field(repr=False)


@dataclass(frozen=True, slots=True)
class Set:
    """Fields that differ; ``before`` are their values now. ``id`` is empty in a menu of one entry."""

    menu: Menu
    id: str
    key: str
    fields: Fields = field(repr=False)
    before: Fields = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remove:
    """An entry of ours that is not wanted any more; ``before`` is what it was."""

    menu: Menu
    id: str
    key: str
    before: Fields = field(repr=False)


Change: TypeAlias = Add | Set | Remove


def plan(have: Sequence[Row], wanted: Wanted, version: Version, *, write_hidden: bool = False) -> tuple[Change, ...]:
    """Return the changes that make one menu as wanted. Removals come first, so that a name is free before it is taken.

    ``write_hidden`` writes secrets that the router does not show, as the rotation of a secret does.
    """
    menu = wanted.menu
    entries = [menu.known(entry, version) for entry in wanted.entries]
    if wanted.scope is Scope.OURS:
        return _plan_ours(menu, have, entries, write_hidden)
    rows = [row for row in have if not _is_dynamic(row)]
    changes = (_difference(menu, row, entry, write_hidden) for row in rows for entry in entries)
    return tuple(change for change in changes if change is not None)


def _plan_ours(menu: Menu, have: Sequence[Row], entries: Iterable[Fields], write_hidden: bool) -> tuple[Change, ...]:
    """Match our entries with the wanted ones by their comment; a second entry of the same comment goes."""
    wanted = {entry["comment"]: entry for entry in entries}
    removals: list[Change] = []
    changes: list[Change] = []
    found: set[str] = set()
    for row in have:
        comment = row.get("comment", "")
        if not is_ours(row):
            continue
        if comment not in wanted or comment in found:
            removals.append(Remove(menu, row.get(".id", ""), comment, row))
            continue
        found.add(comment)
        if (change := _difference(menu, row, wanted[comment], write_hidden)) is not None:
            changes.append(change)
    changes += [Add(menu, entry) for comment, entry in wanted.items() if comment not in found]
    return (*removals, *changes)


def is_ours(row: Row) -> bool:
    """Tell whether an entry carries our mark and is not the router's own."""
    comment = row.get("comment", "")
    return (comment == COMMENT or comment.startswith(COMMENT + "/")) and not _is_dynamic(row)


def _is_dynamic(row: Row) -> bool:
    return parse_bool(row.get("dynamic", "")) is True


def _difference(menu: Menu, row: Row, wanted: Fields, write_hidden: bool) -> Set | None:
    fields = {
        name: value
        for name, value in wanted.items()
        if (
            write_hidden
            if menu.field(name).secret and name not in row
            else menu.differs(name, row.get(name, ""), value)
        )
    }
    if not fields:
        return None
    before = {name: row.get(name, "") for name in fields}
    return Set(menu, "" if menu.single else row.get(".id", ""), row.get(menu.key, ""), fields, before)


def commands(changes: Iterable[Change]) -> tuple[Command, ...]:
    """Return the commands that make the changes, in their order."""
    return tuple(map(_command, changes))


def _command(change: Change) -> Command:
    match change:
        case Add(menu, fields):
            return Command(menu.path, "add", fields)
        case Set(menu, identity, _, fields, _):
            return Command(menu.path, "set", {".id": identity, **fields} if identity else fields)
        case Remove(menu, identity):
            return Command(menu.path, "remove", {".id": identity})


def as_script(changes: Iterable[Change]) -> str:
    """Return the changes as console lines to paste. Secrets are in it: it is useless without. Entries by their key."""
    lines = []
    for change in changes:
        line = command_line(_command(change))
        if not isinstance(change, Add) and change.id:
            found = f"[find {change.menu.key}={quote(change.key)}]"
            line = line.replace(f" {change.id}", f" {found}", 1)
        lines.append(line + "\n")
    return "".join(lines)


def as_diff(changes: Iterable[Change]) -> str:
    """Return the changes for a person: what is added (``+``), changed (``~``) and removed (``-``), without secrets."""
    lines: list[str] = []
    for change in changes:
        path = console_menu(change.menu.path)
        match change:
            case Add(menu, fields):
                lines.append(f"+ {path}")
                lines += [f"    {name}: {_shown(menu, name, value)}" for name, value in fields.items()]
            case Set(menu, _, key, fields, before):
                lines.append(f"~ {path} {key}".rstrip())
                lines += [
                    f"    {name}: {_shown(menu, name, before[name])} -> {_shown(menu, name, value)}"
                    for name, value in fields.items()
                ]
            case Remove(menu, _, key, before):
                lines.append(f"- {path} {key}")
                ours = {one.name for one in menu.fields}
                lines += [f"    {name}: {_shown(menu, name, value)}" for name, value in before.items() if name in ours]
    return "".join(line + "\n" for line in lines)


def _shown(menu: Menu, name: str, value: str) -> str:
    if menu.field(name).secret:
        return "***" if value else "(not shown)"
    return quote(value) if value == "" or not value.isprintable() else value
