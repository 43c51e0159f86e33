"""The kinds of models, and the fields that several of them have. Everything is bounded, so that nothing else need be.

A body takes no field that it does not name, so that nobody sets what is not his to set.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LINE: Final = r"^[^\x00-\x1f\x7f]*$"  # one line of text
WORDS: Final = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"  # one line that is not blank
EMAIL: Final = r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"
BIGINT: Final = 2**63 - 1
INT: Final = 2**31 - 1

T = TypeVar("T")


def _drop_defaults(schema: dict[str, Any]) -> None:
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class Body(BaseModel):
    """What is sent."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show no value: some are secrets."""
        return []


class Patch(BaseModel):
    """What is sent to change some fields: those that are there."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, json_schema_extra=_drop_defaults, validate_default=False
    )

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show no value: some are secrets."""
        return []

    def given(self) -> dict[str, Any]:
        """Return the fields that were sent, as JSON has them."""
        return self.model_dump(mode="json", exclude_unset=True)


class Query(BaseModel):
    """The parameters of a request without a body."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Shown(BaseModel):
    """What is answered. A field that is not named here is never shown."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class Page(Shown, Generic[T]):
    """A part of a list. ``next`` is the cursor of the next part, null at the end."""

    items: list[T]
    next: str | None


def patch_of(body: type[Body], name: str, *, without: tuple[str, ...] = ()) -> type[Patch]:
    """Return the model that changes what ``body`` creates: the same fields, none of them needed."""
    fields: dict[str, Any] = {
        field: (Annotated[(info.annotation, *info.metadata, Field(description=info.description))], None)
        for field, info in body.model_fields.items()
        if field not in without
    }
    return create_model(name, __base__=Patch, __doc__="Fields that are left out stay as they are.", **fields)


def _in_reach(moment: datetime) -> datetime:
    """Keep what PostgreSQL and every time zone can hold."""
    moment = moment.astimezone(UTC)
    if not 1970 <= moment.year <= 9998:
        raise ValueError("must be between 1970 and 9998")
    return moment


Id = Annotated[int, Field(ge=1, le=BIGINT)]
IspId = Annotated[int, Field(ge=1, le=INT, description="The ISP. Needed of admins; others may leave it out.")]
Count = Annotated[int, Field(ge=0, le=INT)]
Port = Annotated[int, Field(ge=1, le=65535)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_reach)]
Email = Annotated[str, StringConstraints(max_length=120, pattern=EMAIL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=WORDS)]
LongName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WORDS)]
ShortText = Annotated[str, StringConstraints(max_length=50, pattern=LINE)]
Text100 = Annotated[str, StringConstraints(max_length=100, pattern=LINE)]
Text200 = Annotated[str, StringConstraints(max_length=200, pattern=LINE)]
Notes = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Octets:
    """Marks a text as 1 to ``limit`` octets of UTF-8 on one line: what fits an attribute. ``Annotated[str, ..]``."""

    limit: int
    pattern: str = LINE

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(min_length=1, max_length=self.limit, pattern=self.pattern, strict=True)
        return core_schema.no_info_after_validator_function(self._check, text)

    def _check(self, text: str) -> str:
        if len(text.encode()) > self.limit:
            raise ValueError(f"must have at most {self.limit} octets")
        return text


@dataclass(frozen=True, slots=True)
class Secret(Octets):
    """Marks a secret: it goes in and never comes out."""

    pattern: str = r"^[^\x00]*$"

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"writeOnly": True, "format": "password"}


class Paging(Query):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=200, description="Items per page.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=1024, pattern=r"^[A-Za-z0-9_-]+$", description="`next` of the page before.")
    ] = None


class TenantPaging(Paging):
    """Which part of a list that an admin may narrow to one ISP."""

    isp_id: Annotated[
        int | None, Field(ge=1, le=INT, description="Only this ISP's (admins; others see their own).")
    ] = None


class Search(TenantPaging):
    """A list that can be searched."""

    q: Annotated[str | None, Field(min_length=1, max_length=100, pattern=LINE, description="Text to look for.")] = None
