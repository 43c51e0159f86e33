"""Customers: who logs in through a router."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Network
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from mgmt.api.schemas.base import (
    BIGINT,
    INT,
    LINE,
    WORDS,
    Body,
    Email,
    Id,
    IspId,
    Moment,
    Notes,
    Octets,
    Page,
    Search,
    Secret,
    Shown,
    Text200,
    patch_of,
)
from radiuscore.aaa.names import format_mac, parse_mac

EXAMPLE: JsonDict = {
    "username": "customer@example.com",
    "password": "password123",
    "service_plan_id": 1,
    "full_name": "Ada Customer",
    "email": "ada@example.com",
}


def _mac(text: str) -> str:
    octets = parse_mac(text)
    if octets is None:
        raise ValueError("must be a MAC address such as aa:bb:cc:dd:ee:ff")
    return format_mac(octets)


Status: TypeAlias = Literal["active", "unpaid", "suspended"]
Speed: TypeAlias = Annotated[int, Field(ge=0, le=BIGINT, description="bit/s; 0 is unlimited; null: as the plan")]
Mac: TypeAlias = Annotated[
    str, StringConstraints(min_length=11, max_length=19, pattern=r"^[0-9A-Fa-f:.\-]+$"), AfterValidator(_mac)
]
Route: TypeAlias = Annotated[str, Octets(200)]


class CustomerFields(Body):
    """What can be said of a customer. The password goes in and never comes out."""

    username: Annotated[str, Octets(253, WORDS)]
    password: Annotated[
        Annotated[str, Secret(128)] | None,
        Field(description="Null: a device known by its MAC address, which is its username."),
    ] = None
    service_plan_id: Id | None = None
    status: Status = "active"
    expires_at: Moment | None = None
    framed_ip_address: IPv4Address | None = None
    framed_ipv6_prefix: IPv6Network | None = None
    delegated_ipv6_prefix: IPv6Network | None = None
    framed_routes: Annotated[list[Route], Field(max_length=20)] = Field(default_factory=list)
    mac_addresses: Annotated[
        list[Mac], Field(max_length=20, description="May log in with these only; none is any.")
    ] = Field(default_factory=list)
    device_ids: Annotated[list[Id], Field(max_length=100, description="May log in there only; none is anywhere.")] = (
        Field(default_factory=list)
    )
    simultaneous_use: Annotated[int, Field(ge=1, le=INT)] | None = None
    download_bps: Speed | None = None
    upload_bps: Speed | None = None
    rate_limit: Annotated[str, Octets(247)] | None = None
    address_list: Annotated[str, Octets(247)] | None = None
    full_name: Text200 | None = None
    email: Email | None = None
    phone: Annotated[str, StringConstraints(max_length=40, pattern=LINE)] | None = None
    notes: Notes | None = None


class NewCustomer(CustomerFields):
    """A customer to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    isp_id: IspId | None = None


CustomerPatch = patch_of(CustomerFields, "CustomerPatch")


class CustomerShown(Shown):
    """A customer."""

    id: Id
    isp_id: int
    username: str
    has_password: bool
    service_plan_id: int | None
    status: Status
    expires_at: datetime | None
    framed_ip_address: IPv4Address | None
    framed_ipv6_prefix: IPv6Network | None
    delegated_ipv6_prefix: IPv6Network | None
    framed_routes: list[str]
    mac_addresses: list[str]
    device_ids: list[int]
    simultaneous_use: int | None
    download_bps: int | None
    upload_bps: int | None
    rate_limit: str | None
    address_list: str | None
    quota_state: Literal["throttle", "walled_garden", "block"] | None
    quota_until: datetime | None
    full_name: str | None
    email: str | None
    phone: str | None
    notes: str | None
    created_at: datetime
    updated_at: datetime


class CustomerQuery(Search):
    """Which customers."""

    status: Status | None = None
    service_plan_id: Id | None = None
    username: Annotated[str | None, Field(min_length=1, max_length=253, pattern=LINE)] = None
    expires_before: Moment | None = None
    expires_after: Moment | None = None


class CustomerPage(Page[CustomerShown]):
    """A part of a list."""
