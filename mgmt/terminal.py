"""What a command says while it works, on standard error, so that standard output holds only its result."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from mgmt.database import Progress


@contextmanager
def progress(first: str) -> Iterator[Progress]:
    """Give a function that is told what is being done: a line that changes on a terminal, a line each otherwise."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda what: print(what, file=sys.stderr, flush=True)  # noqa: T201  # a command speaks to people
        return
    with console.status(Text(first)) as status:  # no markup: a path may hold brackets
        yield lambda what: status.update(Text(what))


def say(text: str = "") -> None:
    """Write a line of a command's result to standard output, at once."""
    print(text, flush=True)  # noqa: T201  # a command speaks to people
