"""A small reader of RouterOS's console language, as its scripting manual describes it: enough for scripts and commands.

Values have the console's types: text, number, time, id, boolean, array, nothing. Unknown words are refused as a router
refuses them. It knows nothing of the code under test.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.mikrotik.standin.console_values import NOTHING, Identity, element, identities, show, texts, typed, typeof
from tests.mikrotik.standin.state import FLAGS, Refusal, Router, Row

VERBS = {"find", "get", "print", "add", "set", "remove", "export", "monitor", "enable", "disable"}


@dataclass
class Block:
    source: str


class Console:
    """Runs lines for one router and collects what they print."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.printed: list[str] = []
        self.menu = ""

    def run(self, source: str) -> str:
        """Return everything a session would show, log lines of the router included."""
        try:
            self._block(source, [{}])
        except Refusal as refusal:
            self.printed.append(refusal.messages[0])
        noise = self.router.noise
        return "".join(f"{noise}\r\n{line}\r\n" if noise else f"{line}\r\n" for line in self.printed).replace(
            "\r\r\n", "\r\n"
        )

    def _block(self, source: str, scopes: list[dict[str, Any]]) -> Any:
        return _Reader(self, source, [*scopes, {}]).statements()

    # What the router has, in the console's types

    def typed(self, menu: str, row: Row) -> dict[str, Any]:
        return {name: typed(menu, name, value) for name, value in row.items()}

    def command(self, menu: str, verb: str, given: dict[str, Any], positional: list[Any]) -> Any:
        router = self.router
        match verb:
            case "find":
                return [Identity(row[".id"]) for row in self._matching(menu, given)]
            case "get":
                if not positional[1:] and not router.gets_whole_entries:
                    raise Refusal("missing value(s) of argument(s) value-name")
                if menu in router.singles:
                    return self.typed(menu, router.rows(menu)[0])
                return self.typed(menu, router.find(menu, str(positional[0])))
            case "print":
                return self._print(menu, positional)
            case "add":
                return Identity(router.add(menu, texts(given)))
            case "set":
                router.change(menu, identities(positional[0]) if positional else None, texts(given))
            case "enable" | "disable":
                router.change(menu, identities(positional[0]), {"disabled": "yes" if verb == "disable" else "no"})
            case "remove":
                router.remove(menu, identities(positional[0]))
            case "export":
                self.printed += router.export({str(word) for word in positional}).splitlines()
            case "monitor":
                return self.typed(menu, router.monitor(menu, str(positional[0])))
        return NOTHING

    def _matching(self, menu: str, given: dict[str, Any]) -> list[Row]:
        def same(row: Row, name: str, value: Any) -> bool:
            text = {"yes": "true", "no": "false"}.get(show(value), show(value))
            return row.get(name, "") == text

        rows = self.router.tables.get(menu)
        if rows is None:
            self.router.rows(menu)
            return []
        return [row for row in rows if all(same(row, name, value) for name, value in given.items())]

    def _print(self, menu: str, words: list[Any]) -> Any:
        rows = self.router.rows(menu)
        single = menu in self.router.singles
        if "as-value" in words:
            if "detail" in words and single:
                raise Refusal("bad parameter detail (line 1 column 27)")
            shown = [
                {
                    name: value
                    for name, value in self.typed(menu, row).items()
                    if name not in FLAGS and not name.startswith(("rx-", "tx-"))
                }
                for row in rows
            ]
            return self.typed(menu, rows[0]) if single else shown
        if single:
            self.printed += [f"{name:>24}: {value}" for name, value in rows[0].items()]
        else:
            self._print_detail(rows)
        return NOTHING

    def _print_detail(self, rows: list[Row]) -> None:
        upper = self.router.number >= (7,)
        legend = ", ".join(f"{letter} - {word.upper() if upper else word}" for letter, word in _LEGEND.items())
        self.printed.append(f"Flags: {legend}")
        for number, row in enumerate(rows):
            flags = "".join(letter if row.get(word) == "true" else " " for letter, word in _LEGEND.items())
            fields = [
                f"{name}={value}" if re.fullmatch(r"[\w.:/<>-]+", value) else f'{name}="{_escaped(value)}"'
                for name, value in row.items()
                if name not in (*FLAGS, ".id", "comment")
            ]
            note = f";;; {row['comment']}\n       " if "comment" in row else ""
            self.printed += [*f"{number:>2} {flags} {note}{' '.join(fields)}".splitlines(), ""]


_LEGEND = {"X": "disabled", "D": "dynamic", "R": "running", "S": "slave"}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


class _Reader:
    """Reads and runs one block, left to right."""

    def __init__(self, console: Console, source: str, scopes: list[dict[str, Any]]) -> None:
        self.console = console
        self.source = source
        self.at = 0
        self.scopes = scopes

    def statements(self) -> Any:
        value: Any = NOTHING
        while True:
            self._skip(" \t\r\n;")
            if self.at >= len(self.source):
                return value
            value = self._statement()

    def _statement(self) -> Any:
        if self._next("#"):
            self.at = (self.source + "\n").index("\n", self.at)
            return NOTHING
        if self._next(":"):
            self.at += 1
            return self._builtin(self._word())
        return self._command()

    def _command(self) -> Any:
        console = self.console
        path: list[str] = []
        absolute = self._next("/")
        while True:
            self._skip(" /")
            before = self.at
            word = self._word()
            if not word:
                self._refuse("expected command name")
            if word in VERBS:
                break
            if not absolute and not path and word not in ("",):
                self.at = before
                self._refuse("bad command name " + word)
            path.append(word)
            if self.at >= len(self.source) or self.source[self.at] in ";\n]":
                console.menu = "/" + "/".join(path)
                return NOTHING
        outer = console.menu
        menu = "/" + "/".join(path) if path else ("" if absolute else outer)
        console.menu = menu
        try:
            given, positional = self._arguments()
            return console.command(menu, word, given, positional)
        finally:
            console.menu = outer

    def _arguments(self) -> tuple[dict[str, Any], list[Any]]:
        given: dict[str, Any] = {}
        positional: list[Any] = []
        while True:
            self._skip(" \t")
            if self.at >= len(self.source) or self.source[self.at] in ";\n]}":
                return given, positional
            if match := re.compile(r"([A-Za-z0-9.-]+)=").match(self.source, self.at):
                self.at = match.end()
                given[match[1]] = self._value()
            else:
                positional.append(self._value())
        raise AssertionError

    def _value(self) -> Any:
        source = self.source
        rest = source[self.at : self.at + 1]
        if rest == '"':
            return self._string()
        if rest == "(":
            return self._expression()
        if rest == "[":
            inner = self._enclosed("[", "]")
            return _Reader(self.console, inner, self.scopes).statements()
        if rest == "{":
            return Block(self._enclosed("{", "}"))
        if rest == "$":
            self.at += 1
            return self._variable(self._match(r"[A-Za-z0-9]+"))
        word = self._match(r"[^\s;\]})(\"$]+")
        if not word:
            self._refuse("syntax error")
        if word.startswith("*"):
            return Identity(word)
        return int(word) if word.isdigit() and str(int(word)) == word else word

    def _expression(self) -> Any:
        inner = _Reader(self.console, self._enclosed("(", ")"), self.scopes)
        value = inner._operand()
        while True:
            inner._skip(" ")
            if inner.at >= len(inner.source):
                return value
            operator = inner._match(r"->|!=|=|\.")
            if not operator:
                inner._refuse("syntax error")
            right = inner._operand()
            match operator:
                case ".":
                    value = show(value) + show(right)
                case "->":
                    value = element(value, right)
                case "=":
                    value = value == right
                case "!=":
                    value = value != right

    def _operand(self) -> Any:
        self._skip(" ")
        if self._next("["):
            inner = self._enclosed("[", "]")
            return _Reader(self.console, inner, self.scopes).statements()
        if self._next('"') or self._next("(") or self._next("$"):
            return self._value()
        word = self._match(r"[A-Za-z0-9]+")
        return {"true": True, "false": False}.get(word, int(word) if word.isdigit() else word)

    def _builtin(self, name: str) -> Any:
        handlers: dict[str, Callable[[], Any]] = {
            "local": self._local,
            "global": self._local,
            "set": self._assign,
            "put": self._put,
            "if": self._if,
            "foreach": self._foreach,
            "do": self._do,
            "error": self._error,
        }
        if name in handlers:
            return handlers[name]()
        given, positional = self._arguments()
        assert not given
        match name:
            case "typeof":
                return typeof(positional[0])
            case "toarray":
                return [part for part in positional[0].split(",") if part]
            case "len":
                return len(positional[0])
            case "find":
                found = positional[0].find(show(positional[1]))
                return None if found < 0 else found
            case "pick":
                return positional[0][positional[1] : positional[2]]
            case "tostr":
                return show(positional[0])
        self._refuse(f"bad command name {name}")
        raise AssertionError

    def _local(self) -> Any:
        self._skip(" ")
        name = self._match(r"[A-Za-z0-9]+")
        self._skip(" ")
        empty = self.at >= len(self.source) or self.source[self.at] in ";\n"
        self.scopes[-1][name] = NOTHING if empty else self._value()
        return NOTHING

    def _assign(self) -> Any:
        self._skip(" ")
        name = self._match(r"[A-Za-z0-9]+")
        self._skip(" ")
        value = self._value()
        for scope in reversed(self.scopes):
            if name in scope:
                scope[name] = value
                return NOTHING
        self._refuse("syntax error")
        raise AssertionError

    def _put(self) -> Any:
        self._skip(" ")
        self.console.printed.append(show(self._value()))
        return NOTHING

    def _if(self) -> Any:
        self._skip(" ")
        truth = self._expression()
        given, _ = self._arguments()
        chosen = given.get("do") if truth is True else given.get("else")
        return self._call(chosen, {}) if isinstance(chosen, Block) else NOTHING

    def _foreach(self) -> Any:
        self._skip(" ")
        names = self._match(r"[A-Za-z0-9,]+").split(",")
        given, _ = self._arguments()
        items, block = given["in"], given["do"]
        pairs = (
            list(items.items()) if isinstance(items, dict) else list(enumerate(items if items is not NOTHING else []))
        )
        for key, value in pairs:
            bound = {names[0]: key, names[1]: value} if len(names) == 2 else {names[0]: value}
            self._call(block, bound)
        return NOTHING

    def _do(self) -> Any:
        self._skip(" ")
        block = self._value()
        given, _ = self._arguments()
        try:
            return self._call(block, {})
        except Refusal:
            if "on-error" not in given:
                raise
            return self._call(given["on-error"], {})

    def _error(self) -> Any:
        self._skip(" ")
        raise Refusal(show(self._value()))

    def _call(self, block: Block, bound: dict[str, Any]) -> Any:
        return _Reader(self.console, block.source, [*self.scopes, bound, {}]).statements()

    def _variable(self, name: str) -> Any:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return NOTHING

    # Characters

    def _refuse(self, message: str) -> None:
        raise Refusal(f"{message} (line 1 column {self.at + 1})")

    def _next(self, character: str) -> bool:
        return self.source.startswith(character, self.at)

    def _skip(self, characters: str) -> None:
        while self.at < len(self.source) and self.source[self.at] in characters:
            self.at += 1

    def _match(self, pattern: str) -> str:
        match = re.compile(pattern).match(self.source, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def _word(self) -> str:
        return self._match(r"[a-z0-9-]+")

    def _string(self) -> str:
        self.at += 1
        octets = bytearray()
        while not self._next('"'):
            if self.at >= len(self.source):
                self._refuse("syntax error")
            if self._next("\\"):
                octets += self._escape()
            else:
                if self._next("$") or self._next("?"):
                    self._refuse("syntax error")  # the test's scripts never mean these
                octets += self.source[self.at].encode()
                self.at += 1
        self.at += 1
        return octets.decode()

    def _escape(self) -> bytes:
        code = self._match(r"\\(?:[0-9A-F]{2}|.)")[1:]
        if len(code) == 2:
            return bytes.fromhex(code)
        return {"n": "\n", "r": "\r", "t": "\t"}.get(code, code).encode()

    def _enclosed(self, opening: str, closing: str) -> str:
        """Return what stands between a pair, with quotes and inner pairs respected."""
        start, depth = self.at + 1, 0
        while self.at < len(self.source):
            character = self.source[self.at]
            if character == '"':
                self._string()
                continue
            self.at += 1
            depth += (character == opening) - (character == closing)
            if depth == 0:
                return self.source[start : self.at - 1]
        self._refuse("syntax error")
        raise AssertionError
