"""Sessions, rejects and the audit log: what happened."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Network
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from mgmt.api.schemas.base import LINE, Id, Moment, Page, Shown, TenantPaging

AnyText = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\x00]*$")]
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)]


class SessionShown(Shown):
    """A session. Octets are seen from the customer: ``input_octets`` came from him. ``session_time`` is in seconds."""

    id: UUID
    isp_id: int
    device_id: int
    customer_id: int | None
    username: str
    acct_session_id: str
    started_at: datetime
    updated_at: datetime
    stopped_at: datetime | None
    session_time: int
    input_octets: int
    output_octets: int
    framed_ip_address: IPv4Address | None
    framed_ipv6_prefix: IPv6Network | None
    delegated_ipv6_prefix: IPv6Network | None
    calling_station_id: str | None
    called_station_id: str | None
    nas_port_id: str | None
    terminate_cause: int | None
    closed_by: str | None
    state: Literal["open", "suspect", "closed"]


class SessionQuery(TenantPaging):
    """Which sessions, the newest first: those that go on, and those that ended in 31 days or since ``from``."""

    active: bool | None = None
    acct_session_id: AnyText | None = None
    username: AnyText | None = None
    customer_id: Id | None = None
    device_id: Id | None = None
    begin: Annotated[Moment | None, Field(alias="from", description="Ended at this time or later, or goes on.")] = None
    end: Annotated[Moment | None, Field(alias="to", description="Started before this time.")] = None


class RejectShown(Shown):
    """A login that was refused, and why."""

    at: datetime
    isp_id: int
    device_id: int
    customer_id: int | None
    username: str
    reason: str
    method: str
    calling_station_id: str | None
    called_station_id: str | None
    nas_port_id: str | None


class RejectQuery(TenantPaging):
    """Which rejects, the newest first."""

    username: AnyText | None = None
    reason: Word | None = None
    customer_id: Id | None = None
    device_id: Id | None = None
    begin: Annotated[Moment | None, Field(alias="from")] = None
    end: Annotated[Moment | None, Field(alias="to")] = None


class AuditShown(Shown):
    """Who changed what. ``details`` has ``old`` and ``new`` fields; of secrets only that they changed."""

    id: int
    isp_id: int | None
    at: datetime
    user_id: int | None
    actor: str
    action: str
    target_type: str | None
    target_id: str | None
    address: str | None
    request_id: str | None
    details: dict[str, Any]


class AuditQuery(TenantPaging):
    """Which changes, the newest first. ``action`` may be the first word of several: devices, devices.create."""

    action: Word | None = None
    target_type: Word | None = None
    target_id: Word | None = None
    user_id: Id | None = None
    begin: Annotated[Moment | None, Field(alias="from")] = None
    end: Annotated[Moment | None, Field(alias="to")] = None


class SessionPage(Page[SessionShown]):
    """A part of a list."""


class RejectPage(Page[RejectShown]):
    """A part of a list."""


class AuditPage(Page[AuditShown]):
    """A part of a list."""
