"""One request as a handler sees it: who asks, for which ISP, with which transaction. And what it answers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
from aiohttp import web
from pydantic import BaseModel

from mgmt.problems import Problem
from mgmt.roles import Principal, Role
from mgmt.services import Services
from radiuscore.store.pool import Connection

REQUEST_ID: Final = web.RequestKey("request_id", str)  # set by the middleware
MAX_ID: Final = 2**63 - 1
FORCE_CUSTOM_PLAN: Final = "SET LOCAL plan_cache_mode = force_custom_plan"


class Answer(NamedTuple):
    """What a handler answers: a model, or JSON as it is; ``etag`` without its quotes."""

    content: BaseModel | Mapping[str, Any] | None
    etag: str | None = None
    headers: Mapping[str, str] = {}


@dataclass(slots=True)
class Call:
    """A request of a known principal. ``idempotent`` is the transaction that its Idempotency-Key began."""

    request: web.Request
    principal: Principal
    services: Services
    place: str
    idempotent: "Connection | None" = field(default=None, repr=False)

    @property
    def role(self) -> Role:
        """The principal's role."""
        return self.principal.role

    @property
    def request_id(self) -> str:
        """What this request is called in logs and answers."""
        return self.request[REQUEST_ID]

    @property
    def address(self) -> str | None:
        """Where the request came from."""
        return self.request.remote

    def id(self, name: str = "id") -> int:
        """Return an id of the path. Raises `Problem` for a number that no row can have."""
        number = int(self.request.match_info[name])
        if number > MAX_ID:
            raise Problem("not_found")
        return number

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Give a connection to the configuration, in a transaction that sees what the principal may see."""
        if self.idempotent is not None:
            async with self.idempotent.transaction():
                yield self.idempotent
            return
        async with self.services.control.transaction(self.principal.isp_id) as db:
            yield db

    @asynccontextmanager
    async def listing(self) -> AsyncIterator[Connection]:
        """Give a transaction whose statements are planned for their arguments: a filter that is not given is free."""
        async with self.transaction() as db:
            await db.execute(FORCE_CUSTOM_PLAN)
            yield db

    @asynccontextmanager
    async def accounting(self) -> AsyncIterator[Connection]:
        """Give a connection to sessions, usage and logins, in a transaction that sees what the principal may see."""
        async with self.services.accounting.transaction(self.principal.isp_id) as db:
            await db.execute(FORCE_CUSTOM_PLAN)
            yield db

    def isp_filter(self, given: int | None) -> int | None:
        """Return whose rows a list shows: the principal's, or for an admin those he names, or all. Raises `Problem`."""
        if self.principal.isp_id is None:
            return given
        return self.own_isp(given)

    def own_isp(self, given: int | None) -> int:
        """Return the principal's ISP; any other one that he names is denied, existing or not. Raises `Problem`."""
        own = self.principal.isp_id
        assert own is not None
        if given is not None and given != own:
            raise Problem("tenant_access_denied")
        return own

    def isp_to_create_for(self, given: int | None) -> int:
        """Return which ISP gets what is created: one's own, or the one that an admin must name. Raises `Problem`."""
        if self.principal.isp_id is not None:
            return self.own_isp(given)
        if given is None:
            raise Problem("isp_id_required", "Give isp_id in the body.")
        return given

    async def isp_of_row(self, db: Connection, statement: str, row: int) -> int:
        """Return whose row it is. ``statement`` finds isp_id by id, and is asked for admins only. Raises `Problem`."""
        if self.principal.isp_id is not None:
            return self.principal.isp_id
        isp_id: int | None = await db.fetchval(statement, row)
        if isp_id is None:
            raise Problem("not_found")
        return isp_id

    def check_etag(self, current: str) -> None:
        """Refuse a change of something that is not as the client has seen it (If-Match). Raises `Problem`."""
        wanted = self.request.headers.get("If-Match")
        if wanted is None or wanted.strip() == "*":
            return
        if current not in [one.strip().removeprefix("W/").strip('"') for one in wanted.split(",")]:
            raise Problem("precondition_failed", headers={"ETag": f'"{current}"'})

    def page(
        self, rows: Sequence[asyncpg.Record], limit: int, *columns: str
    ) -> tuple[Sequence[asyncpg.Record], str | None]:
        """Return a page of rows, of which one more than ``limit`` was asked for, and the cursor of the next one.

        ``columns`` are what the list is ordered by.
        """
        if len(rows) <= limit:
            return rows, None
        position = [_plain(rows[limit - 1][column]) for column in columns]
        return rows[:limit], self.services.cursors.sign(self._list, position)

    def position(self, cursor: str | None) -> list[Any] | None:
        """Return where a list goes on. Raises `Problem` for a cursor of another list or ISP."""
        return None if cursor is None else self.services.cursors.read(self._list, cursor)

    @property
    def _list(self) -> str:
        return f"{self.place} {self.principal.isp_id or 'all'}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def first_position(position: list[Any] | None) -> int:
    """Return the id after which a list in the order of ids goes on."""
    return 0 if position is None else int(position[0])
