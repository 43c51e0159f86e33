"""Console scripts that print fields so that they can be read back exactly, and the reader of what they print.

``print`` rounds sizes, wraps lines and quotes nothing; a script that asks for each field does neither. Every field is
printed between two marks that nobody can guess, so no name or comment, however made, and no log line that RouterOS
prints in between, can be taken for a field. RouterOS 6 and 7 run the same script: ``print as-value`` alone would leave
flags and counters out before 7.20, ``get`` does not. The mark is put together by the script, so an echo holds none.
"""

import re
from collections.abc import Mapping
from typing import Final

from mikrotik.transport import Command, Read, Row
from mikrotik.values import quote

FLAGS: Final = frozenset({"once", "terse", "show-sensitive", "hide-sensitive", "dont-encrypt", "verbose"})

_NAME: Final = re.compile(r"\.?[A-Za-z0-9-]{1,64}")
_MENU: Final = re.compile(r"(?:/[a-z0-9-]{1,32}){0,6}")
_BARE: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9_.:,/*-]*")
_LOG_LINE: Final = re.compile(r"^(?:\S{10,11} )?\d{2}:\d{2}:\d{2} echo: [^\n]*(?:\n|\Z)", re.MULTILINE)

# A list's parts are joined with commas, as the API has them; what a router does not have is not printed.
_PRINT_FIELD: Final = (
    ':if ([:typeof $v]="array") do={:local s "";:foreach e in=$v do={:set s ($s.",".$e)};'
    ':put ($m.$f."=".[:pick $s 1 [:len $s]].$m)} else={:if ([:typeof $v]!="nothing") do={:put ($m.$f."=".$v.$m)}}'
)


def read_script(what: Read, mark: str) -> str:
    """Return one line of console that prints what is to be read.

    A table is read entry by entry; one that goes away meanwhile, as sessions do, is left out.
    """
    menu = console_menu(what.menu)
    wanted = ",".join(_checked(name) for name in what.fields if name != ".id")
    if what.single:
        body = (
            f':put ($m.$m);:foreach k,r in=[{menu} print as-value] do={{:if ([:typeof $k]="num") do={{:put ($m.$m);'
            f":foreach f in=[:toarray {quote(wanted)}] do={{:local v ($r->$f);{_PRINT_FIELD}}}}} else={{"
            f':local f $k;:local v $r;:if ([:typeof [:find {quote(f",{wanted},")} (",".$f.",")]]="num") '
            f"do={{{_PRINT_FIELD}}}}}}}"
        )
    else:
        where = "".join(f" {_checked(name)}={_literal(value)}" for name, value in what.where.items())
        body = (
            f":local l [{menu} find{where}];:foreach i in=$l do={{:do {{:local r [{menu} get $i];:put ($m.$m);"
            f':put ($m.".id=".$i.$m);:foreach f in=[:toarray {quote(wanted)}] do={{:local v ($r->$f);{_PRINT_FIELD}}}}}'
            ' on-error={}};:put ($m.".found=".[:len $l].$m)'
        )
    return _framed(body, mark)


def run_script(command: Command, mark: str) -> str:
    """Return one line of console that runs a command and prints its answer: fields, or one value as ``ret``."""
    return _framed(
        f':local r [{command_line(command)}];:put ($m.$m);:if ([:typeof $r]="array") do={{:foreach f,v in=$r do='
        f'{{{_PRINT_FIELD}}}}} else={{:local f "ret";:local v $r;{_PRINT_FIELD}}}',
        mark,
    )


def command_line(command: Command) -> str:
    """Return a command as somebody would type it; ``.id`` goes first, by position."""
    parts = [console_menu(command.menu), _checked(command.verb)]
    arguments: Mapping[str, str] = command.arguments
    if ".id" in arguments:
        parts.append(_literal(arguments[".id"]))
    for name, value in arguments.items():
        if name in FLAGS:
            parts.append(name)
        elif name != ".id":
            parts.append(f"{_checked(name)}={_literal(value)}")
    if "once" in arguments:
        parts.append("as-value")
    return " ".join(parts).lstrip()


def console_menu(menu: str) -> str:
    """Return ``/ppp/active`` as ``/ppp active``, which RouterOS 6 takes too."""
    if not _MENU.fullmatch(menu):
        raise ValueError("not a menu")
    return menu[:1] + menu[1:].replace("/", " ") if menu else "/"


def _framed(body: str, mark: str) -> str:
    half = len(mark) // 2
    return f':local m ("{mark[:half]}"."{mark[half:]}");{body};:put ($m.".end=".$m)'


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("not a name of a field")
    return name


def _literal(value: str) -> str:
    return value if _BARE.fullmatch(value) else quote(value)


def read_marked(text: str, mark: str) -> list[Row] | None:
    """Return the rows that a script printed; ``None`` if it did not run to its end. Total.

    Entries that were found, of which none could be read, are a console that cannot ``get`` a whole entry: ``None`` too.
    """
    rows: list[Row] = []
    found = False
    pieces = without_noise(text).split(mark)
    # Between two marks is a field, after the second one a line's end and what was printed in between.
    for field in pieces[1:-1:2]:
        if not field:
            rows.append({})
            continue
        name, equals, value = field.partition("=")
        if name == ".end":
            return None if found and not rows else [row for row in rows if row]
        if name == ".found":
            found = value != "0"
        elif equals and rows:
            rows[-1][name] = value
    return None


def without_noise(text: str) -> str:
    """Return console output with plain line ends and without the log lines that were printed into it."""
    return _LOG_LINE.sub("", text.replace("\r\n", "\n").replace("\r", ""))


def complaint(text: str) -> str:
    """Return the line in which a console says what is wrong, or an empty text."""
    lines = [line.strip() for line in without_noise(text).splitlines() if line.strip()]
    return next((line for line in lines if _COMPLAINT.match(line)), lines[0] if lines else "")


def complains(text: str) -> bool:
    """Tell whether output is a console's refusal: its first line is one. Later ones may be anybody's comment.

    Exit codes do not tell, on no version.
    """
    return _COMPLAINT.match(without_noise(text).lstrip()) is not None


_COMPLAINT: Final = re.compile(
    r"bad command name|expected (?:end of )?command|expected \S+|syntax error|failure:|no such (?:item|command)|"
    r"input does not match|invalid (?:value|internal)|missing value|not enough permissions|unknown parameter|"
    r"ambiguous value|interrupted|value of \S+ |no permission|bad parameter",
    re.IGNORECASE,
)
