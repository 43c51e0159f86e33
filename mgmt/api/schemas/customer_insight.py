"""One customer looked at closely: what he would get and why, his sessions, what he used."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from mgmt.api.schemas.base import Body, Id, Moment, Paging, Query, Shown
from mgmt.api.schemas.customers import Mac


class Question(Body):
    """A login to be explained. What is left out is now, a router and a device that the customer may use."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"mac": "aa:bb:cc:dd:ee:ff"}]})

    at: Annotated[Moment | None, Field(description="When he logs in.")] = None
    nas: Annotated[Id | None, Field(description="The id of the device he logs in through.")] = None
    mac: Annotated[Mac | None, Field(description="The MAC address he logs in from.")] = None


class RemedyShown(Shown):
    """One thing that would have to change: which field, and to which value where one value alone helps."""

    rule: str
    field: str
    value: str | int | bool | datetime | None
    sentence: str


class DisplacedShown(Shown):
    """The session that would be ended for this one."""

    acct_session_id: str
    device_id: int
    device_name: str
    started_at: datetime


class ExplanationShown(Shown):
    """What the server would answer to a customer who knows his password, and why.

    ``rule`` is what decided; null: he gets all that his plan promises, as he would once all ``remedies`` are done.
    ``attributes`` are those of the Access-Accept. ``until`` is when the answer changes by itself.
    """

    accepted: bool
    rule: str | None
    sentence: str
    standing: Literal["normal", "throttled", "walled_garden"] | None
    session_timeout_s: int | None
    attributes: list[str]
    displaced: DisplacedShown | None
    remedies: list[RemedyShown]
    until: datetime | None


class CustomerSessionQuery(Paging):
    """Which sessions, the newest first: those that go on, and those that ended in 31 days or since ``from``."""

    active: bool | None = None
    begin: Annotated[Moment | None, Field(alias="from", description="Ended at this time or later, or goes on.")] = None
    end: Annotated[Moment | None, Field(alias="to", description="Started before this time.")] = None


class UsageQuery(Query):
    """Which usage, in hours or days of the ISP's local time; the first and last of them whole."""

    begin: Annotated[
        Moment | None, Field(alias="from", description="By default 24 hours or 31 days before the end.")
    ] = None
    end: Annotated[Moment | None, Field(alias="to", description="By default now.")] = None
    step: Annotated[Literal["hour", "day"], Field(description="Hours: of at most 31 days. Days: of at most 400.")] = (
        "day"
    )


class UsageShown(Shown):
    """What was used in the hour or day that began at ``begin``. ``input_octets`` came from the customer."""

    begin: datetime
    input_octets: int
    output_octets: int
    session_time: int


class UsageReport(Shown):
    """What a customer used from ``begin`` on and before ``end``; hours and days of nothing are left out.

    ``session_time`` is in seconds; of a customer with several sessions at once it counts each.
    """

    isp_id: int
    customer_id: int
    step: Literal["hour", "day"]
    time_zone: str
    begin: datetime
    end: datetime
    input_octets: int
    output_octets: int
    session_time: int
    items: list[UsageShown]
