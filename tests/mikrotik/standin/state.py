"""A router's memory for tests: menus with entries as the API shows them, and what each version has. No network here.

Written from RouterOS's documentation, apart from the code under test. Values are text in the API's form.
"""

import itertools
from dataclasses import dataclass, field

Row = dict[str, str]

LISTS = {("/radius", "service"), ("/system/ntp/client", "servers")}
DURATIONS = {
    *("uptime", "idle-time", "session-time-left", "expires-after", "last-seen", "timeout", "interim-update"),
    *("lease-time", "interval", "last-request-rtt"),
}
FLAGS = ("disabled", "dynamic", "running", "slave", "radius", "invalid", "blocked")


class Refusal(Exception):
    """What the router refuses, with one message or several (RouterOS 7 answers an unknown menu twice)."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


@dataclass
class Router:
    """One router. ``tables`` are menus with many entries, ``singles`` menus that are one."""

    version: str = "7.16.2 (stable)"
    username: str = "admin"
    password: str = "pässwörd of the router"
    policies: set[str] = field(
        default_factory=lambda: {"read", "write", "api", "rest-api", "ssh", "ftp", "sensitive", "test"}
    )
    tables: dict[str, list[Row]] = field(default_factory=dict)
    singles: dict[str, Row] = field(default_factory=dict)
    known: dict[str, set[str]] = field(default_factory=dict)
    logins: int = 0
    written: list[str] = field(default_factory=list)
    noise: str = ""
    gets_whole_entries: bool = True
    counters: Row = field(
        default_factory=lambda: {
            "pending": "0",
            "requests": "10",
            "accepts": "4",
            "rejects": "1",
            "resends": "15",
            "timeouts": "5",
            "bad-replies": "2",
            "last-request-rtt": "10ms",
        }
    )
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(0x40))

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split()[0].split(".")[:2])

    def unknown(self, menu: str) -> Refusal:
        name = menu.rsplit("/", 1)[-1]
        if self.number < (7,):
            return Refusal("no such command prefix")
        return Refusal(f"no such command or directory ({name})", "no such command prefix")

    def allow(self, policy: str) -> None:
        if policy not in self.policies:
            raise Refusal("not enough permissions (9)")

    def rows(self, menu: str) -> list[Row]:
        """Return the entries of a menu, a single one as one; secrets only with the policy for them."""
        self.allow("read")
        if menu in self.singles:
            rows = [self.singles[menu]]
        elif menu in self.tables:
            rows = self.tables[menu]
        else:
            raise self.unknown(menu)
        if "sensitive" in self.policies:
            return rows
        return [{name: value for name, value in row.items() if name != "secret"} for row in rows]

    def find(self, menu: str, identity: str) -> Row:
        for row in self.rows(menu):
            if row.get(".id") == identity:
                return row
        raise Refusal("no such item")

    def add(self, menu: str, values: Row) -> str:
        self.allow("write")
        if menu not in self.tables:
            raise self.unknown(menu)
        before = values.pop("place-before", "")
        at = next((at for at, row in enumerate(self.tables[menu]) if row[".id"] == before), len(self.tables[menu]))
        row = {".id": f"*{next(self.ids):X}", **self._checked(menu, values)}
        self.tables[menu].insert(at, row)
        self.written.append(f"add {menu}")
        return row[".id"]

    def change(self, menu: str, identity: str | None, values: Row) -> None:
        self.allow("write")
        if identity is None:
            if menu not in self.singles:
                raise self.unknown(menu)
            rows = [self.singles[menu]]
        else:
            rows = [self.find(menu, one) for one in identity.split(",") if one]
        checked = self._checked(menu, values)
        for row in rows:
            row |= checked
        if rows:
            self.written.append(f"set {menu}")

    def remove(self, menu: str, identity: str) -> None:
        self.allow("write")
        for one in [one for one in identity.split(",") if one]:
            self.tables[menu].remove(self.find(menu, one))
            self.written.append(f"remove {menu}")

    def _checked(self, menu: str, values: Row) -> Row:
        for name in values:
            if menu in self.known and name not in self.known[menu]:
                raise Refusal(f"unknown parameter {name}")
        return {name: {"yes": "true", "no": "false"}.get(value, value) for name, value in values.items()}

    def export(self, words: set[str]) -> str:
        """Return an export; RouterOS 6 and 7 refuse each other's word about secrets."""
        self.allow("ftp")
        if "show-sensitive" in words and self.number < (7,):
            raise Refusal("expected end of command (line 1 column 15)")
        if "hide-sensitive" in words and self.number >= (7,):
            raise Refusal("expected end of command (line 1 column 15)")
        shows = "show-sensitive" in words if self.number >= (7,) else "hide-sensitive" not in words
        date = "jul/21/2023 10:00:47" if self.number < (7, 10) else "2023-07-21 10:00:47"
        lines = [f"# {date} by RouterOS {self.version.split()[0]}", "# software id = XXXX-XXXX", "#"]
        for row in self.tables.get("/radius", []):
            secret = f' secret="{row["secret"]}"' if shows and "secret" in row else ""
            lines.append(f"/radius add address={row['address']}{secret} service={row['service']}")
        lines.append(f'/system identity set name="{self.singles["/system/identity"]["name"]}"')
        lines += [f"/ip firewall address-list add address=10.0.0.{n} list=many" for n in range(self.padding)]
        return "\n".join(lines) + "\n"

    padding: int = 0

    def write_export(self, name: str, words: set[str]) -> None:
        text = self.export(words)
        row = {".id": f"*{next(self.ids):X}", "name": f"{name}.rsc", "size": str(len(text)), "contents": text}
        self.files[row["name"]] = text
        if len(text) > (4096 if self.number < (7,) else 60_000):
            del row["contents"]
        self.tables.setdefault("/file", []).append(row)

    files: dict[str, str] = field(default_factory=dict)

    def read_file(self, values: Row) -> str:
        if self.number < (7, 13):
            raise Refusal("no such command")
        start = int(values["offset"])
        return self.files[values["file"]][start : start + int(values["chunk-size"])]

    def monitor(self, menu: str, identity: str) -> Row:
        if menu != "/radius":
            raise self.unknown(menu)
        self.find(menu, identity)
        return self.counters
