"""Service plans: what a customer has bought."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.config import JsonDict

from mgmt.api.schemas.base import BIGINT, INT, Body, Id, IspId, Name, Notes, Octets, Page, Search, Shown, patch_of

EXAMPLE: JsonDict = {"name": "Home 50", "download_bps": 50_000_000, "upload_bps": 10_000_000, "price": "29.99"}
MINUTES_OF_WEEK = 10_080


def _hours(hours: list[int]) -> list[int]:
    if hours[0] >= hours[1]:
        raise ValueError("must end after it begins")
    return hours


Speed: TypeAlias = Annotated[int, Field(ge=0, le=BIGINT, description="bit/s; 0 is unlimited")]
OtherSpeed: TypeAlias = Annotated[int, Field(ge=0, le=BIGINT, description="bit/s; null: as usual")]
Seconds: TypeAlias = Annotated[int, Field(ge=1, le=INT, description="s")]
Amount: TypeAlias = Annotated[int, Field(ge=1, le=BIGINT)]
Pool: TypeAlias = Annotated[str, Octets(253)]
Listed: TypeAlias = Annotated[str, Octets(247)]
Money: TypeAlias = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=4, allow_inf_nan=False)]
Minute: TypeAlias = Annotated[int, Field(ge=0, le=MINUTES_OF_WEEK)]
Hours: TypeAlias = Annotated[list[Minute], Field(min_length=2, max_length=2), AfterValidator(_hours)]
QuotaAction: TypeAlias = Literal["throttle", "walled_garden", "block"]


class PlanFields(Body):
    """What can be said of a service plan."""

    name: Name
    description: Notes | None = None
    status: Literal["active", "archived"] = "active"
    download_bps: Speed = 0
    upload_bps: Speed = 0
    burst_download_bps: Speed = 0
    burst_upload_bps: Speed = 0
    burst_threshold_download_bps: Speed = 0
    burst_threshold_upload_bps: Speed = 0
    burst_time_s: Annotated[int, Field(ge=0, le=INT)] = 0
    priority: Annotated[int, Field(ge=0, le=8)] = 0
    min_download_bps: Speed = 0
    min_upload_bps: Speed = 0
    rate_limit: Annotated[Listed | None, Field(description="A whole Mikrotik-Rate-Limit instead of the speeds.")] = None
    session_timeout_s: Seconds | None = None
    idle_timeout_s: Seconds | None = None
    interim_interval_s: Annotated[int, Field(ge=60, le=INT)] | None = 300
    framed_pool: Pool | None = None
    framed_ipv6_pool: Pool | None = None
    delegated_ipv6_pool: Listed | None = None
    address_list: Listed | None = None
    mikrotik_group: Listed | None = None
    login_hours: Annotated[
        list[Hours], Field(max_length=100, description="Minutes of the local week, Monday 00:00 is 0; none is always.")
    ] = Field(default_factory=list)
    simultaneous_use: Annotated[int, Field(ge=1, le=INT)] | None = None
    simultaneous_use_mode: Literal["soft", "strict"] = "soft"
    expired_action: Literal["reject", "walled_garden"] = "reject"
    walled_garden_address_list: Listed | None = None
    walled_garden_pool: Pool | None = None
    walled_garden_download_bps: OtherSpeed | None = None
    walled_garden_upload_bps: OtherSpeed | None = None
    walled_garden_rate_limit: Listed | None = None
    data_quota_octets: Amount | None = None
    time_quota_s: Amount | None = None
    quota_period: Literal["day", "week", "month"] = "month"
    quota_anchor_day: Annotated[int, Field(ge=1, le=31)] = 1
    quota_direction: Literal["both", "download", "upload"] = "both"
    quota_action: QuotaAction = "throttle"
    throttle_download_bps: OtherSpeed | None = None
    throttle_upload_bps: OtherSpeed | None = None
    throttle_rate_limit: Listed | None = None
    price: Money = Decimal(0)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    billing_period: Literal["day", "week", "month", "quarter", "year", "once"] = "month"


class NewPlan(PlanFields):
    """A service plan to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    isp_id: IspId | None = None


PlanPatch = patch_of(PlanFields, "PlanPatch")


class PlanShown(Shown):
    """A service plan."""

    id: Id
    isp_id: int
    name: str
    description: str | None
    status: Literal["active", "archived"]
    download_bps: int
    upload_bps: int
    burst_download_bps: int
    burst_upload_bps: int
    burst_threshold_download_bps: int
    burst_threshold_upload_bps: int
    burst_time_s: int
    priority: int
    min_download_bps: int
    min_upload_bps: int
    rate_limit: str | None
    session_timeout_s: int | None
    idle_timeout_s: int | None
    interim_interval_s: int | None
    framed_pool: str | None
    framed_ipv6_pool: str | None
    delegated_ipv6_pool: str | None
    address_list: str | None
    mikrotik_group: str | None
    login_hours: list[list[int]]
    simultaneous_use: int | None
    simultaneous_use_mode: Literal["soft", "strict"]
    expired_action: Literal["reject", "walled_garden"]
    walled_garden_address_list: str | None
    walled_garden_pool: str | None
    walled_garden_download_bps: int | None
    walled_garden_upload_bps: int | None
    walled_garden_rate_limit: str | None
    data_quota_octets: int | None
    time_quota_s: int | None
    quota_period: Literal["day", "week", "month"]
    quota_anchor_day: int
    quota_direction: Literal["both", "download", "upload"]
    quota_action: QuotaAction
    throttle_download_bps: int | None
    throttle_upload_bps: int | None
    throttle_rate_limit: str | None
    price: Decimal
    currency: str
    billing_period: Literal["day", "week", "month", "quarter", "year", "once"]
    customers: int
    created_at: datetime
    updated_at: datetime


class PlanQuery(Search):
    """Which service plans."""

    status: Literal["active", "archived"] | None = None


class PlanPage(Page[PlanShown]):
    """A part of a list."""
