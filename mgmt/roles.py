"""Who may ask the API: the roles, and the sets of them that the route table names."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """``ADMIN`` sees every ISP. ``API_KEY`` is not a person but a program of one ISP, that holds its key."""

    ADMIN = "admin"
    ISP_ADMIN = "isp_admin"
    ISP_STAFF = "isp_staff"
    API_KEY = "api_key"


ANYONE: Final = frozenset(Role)
PEOPLE: Final = frozenset({Role.ADMIN, Role.ISP_ADMIN, Role.ISP_STAFF})
MANAGERS: Final = frozenset({Role.ADMIN, Role.ISP_ADMIN})  # of users and keys, which no key may give itself
EDITORS: Final = MANAGERS | {Role.API_KEY}
ADMINS: Final = frozenset({Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request. ``isp_id`` is ``None`` for an admin, ``user_id`` for an API key; ``actor`` is for the log.

    ``session`` is the login that the access token came from: the family of its refresh tokens.
    """

    role: Role
    isp_id: int | None
    user_id: int | None
    actor: str
    session: str | None = None

    @property
    def key(self) -> str:
        """What his idempotency keys are kept under."""
        return f"isp:{self.isp_id}" if self.user_id is None else f"user:{self.user_id}"
