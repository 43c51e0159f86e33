"""Writing many records in one statement when one of them may be bad: it is found by halves and blocks no other."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from radiuscore.server.link import DatabaseAway

T = TypeVar("T")


async def write_parts(
    parts: list[list[T]], write: Callable[[list[T]], Awaitable[object]], refuse: Callable[[T, Exception], None]
) -> None:
    """Write every part, last one first, taking it off the list; hand to ``refuse`` the records that are at fault.

    Raises `DatabaseAway`; the parts that are not written are then still in the list.
    """
    while parts:
        part = parts[-1]
        try:
            if part:
                await write(part)
        except DatabaseAway:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, one of these records causes it
            parts.pop()
            if len(part) == 1:
                refuse(part[0], error)
            else:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
        else:
            parts.pop()
