"""What the tests of the synchronous service share: services on the test's database, closed before it is dropped."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import pytest

from radiuscore import MultiTenantRadiusService

Db: TypeAlias = "asyncpg.Connection[Any]"
Insert: TypeAlias = Callable[..., Awaitable[Any]]


@dataclass
class SqlAlchemySession:
    """What SQLAlchemy's ``db.session`` shows of itself: a bind, whose URL hides its password in ``str``."""

    dsn: str

    def get_bind(self) -> "SqlAlchemySession":
        return self

    @property
    def url(self) -> "SqlAlchemySession":
        return self

    def render_as_string(self, hide_password: bool = True) -> str:
        shown = self.dsn.replace("postgresql://", "postgresql+psycopg2://")
        return re.sub(r"//([^:/]*):[^@]*@", r"//\1:***@", shown) if hide_password else shown

    def __str__(self) -> str:
        return self.render_as_string()


@pytest.fixture
def open_service(database: str, encryption_keys: str) -> Iterator[Callable[..., MultiTenantRadiusService]]:
    """A function that makes services on the test's database; they are closed before it is dropped."""
    made: list[MultiTenantRadiusService] = []

    def make(given: Any = None) -> MultiTenantRadiusService:
        made.append(MultiTenantRadiusService(given or database, encryption_keys=encryption_keys))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
async def tenant(db: Db, insert_tenant: Insert) -> Any:
    """One ISP with a router at `NAS`."""
    return await insert_tenant(db)


@pytest.fixture
def service(open_service: Callable[..., MultiTenantRadiusService], tenant: Any) -> MultiTenantRadiusService:
    return open_service()


@pytest.fixture
def session_like() -> type[SqlAlchemySession]:
    """The class of an object as the specification's sample passes it."""
    return SqlAlchemySession
