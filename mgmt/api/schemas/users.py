"""Users: who logs in to this API."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from mgmt.api.schemas.base import INT, Body, Email, Id, Page, Search, Secret, ShortText, Shown, patch_of
from mgmt.passwords import MAX_LENGTH, MIN_LENGTH, fault_of_password

EXAMPLE: JsonDict = {
    "email": "ada@example.com",
    "password": "correct horse battery",
    "first_name": "Ada",
    "last_name": "User",
    "role": "isp_staff",
}


def _password(text: str) -> str:
    if fault := fault_of_password(text):
        raise ValueError(fault)
    return text


RoleName: TypeAlias = Literal["admin", "isp_admin", "isp_staff"]
ChosenPassword: TypeAlias = Annotated[
    str, Secret(4 * MAX_LENGTH), Field(description=f"At least {MIN_LENGTH} characters."), AfterValidator(_password)
]
Otp: TypeAlias = Annotated[
    str, StringConstraints(min_length=6, max_length=40, pattern=r"^[0-9A-Za-z-]+$"), Field(description="Six digits.")
]


class UserFields(Body):
    """What can be said of a user."""

    email: Email
    password: ChosenPassword
    first_name: ShortText = ""
    last_name: ShortText = ""
    role: RoleName
    status: Literal["active", "disabled"] = "active"


class NewUser(UserFields):
    """A user to create. An admin belongs to no ISP."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    isp_id: Annotated[
        int | None, Field(ge=1, le=INT, description="Needed of admins who create an ISP's user; others leave it out.")
    ] = None


UserPatch = patch_of(UserFields, "UserPatch")


class UserShown(Shown):
    """A user."""

    id: Id
    isp_id: int | None
    email: str
    first_name: str
    last_name: str
    role: RoleName
    status: Literal["active", "disabled"]
    mfa_enabled: bool
    last_login_at: datetime | None
    password_changed_at: datetime
    created_at: datetime
    updated_at: datetime


class UserQuery(Search):
    """Which users."""

    role: RoleName | None = None
    status: Literal["active", "disabled"] | None = None


class UserPage(Page[UserShown]):
    """A part of a list."""
