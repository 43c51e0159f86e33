"""ISPs: the tenants."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from zoneinfo import available_timezones

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.config import JsonDict

from mgmt.api.schemas.base import INT, Body, Count, Email, LongName, Name, Page, Paging, Secret, Shown, patch_of

EXAMPLE: JsonDict = {
    "name": "New ISP",
    "company_name": "New ISP Company",
    "email": "isp@example.com",
    "subscription_plan": "pro",
    "max_devices": 20,
    "max_customers": 200,
}


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a name of the IANA database, for example Africa/Nairobi")
    return name


Subscription: TypeAlias = Literal["basic", "pro", "enterprise"]
Limit: TypeAlias = Annotated[Count, Field(description="0 is unlimited; left out: as the subscription plan")]
Zone: TypeAlias = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Overlap: TypeAlias = Annotated[
    int, Field(ge=0, le=30 * 86400, description="s; how long the one before still works beside the new one")
]


class NewIsp(Body):
    """An ISP to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name
    company_name: LongName
    email: Email
    subscription_plan: Subscription = "basic"
    max_devices: Limit | None = None
    max_customers: Limit | None = None
    time_zone: Zone = "UTC"


class IspFields(Body):
    """What can be changed of an ISP. Its own people change name, company, email, time zone and RADIUS secret."""

    name: Name
    company_name: LongName
    email: Email
    subscription_plan: Subscription
    max_devices: Limit
    max_customers: Limit
    time_zone: Zone
    status: Literal["active", "suspended"]
    radius_secret: Annotated[str, Secret(100)]


IspPatch = patch_of(IspFields, "IspPatch")


class Rotation(Body):
    """How a key or a secret is replaced."""

    overlap_s: Overlap = 86400


class IspShown(Shown):
    """An ISP."""

    id: Annotated[int, Field(ge=1, le=INT)]
    name: str
    company_name: str
    email: str
    subscription_plan: Subscription
    max_devices: int | None
    max_customers: int | None
    time_zone: str
    status: Literal["active", "suspended"]
    has_radius_secret: bool
    previous_api_key_expires_at: datetime | None
    outgoing_radius_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


class IspCreated(IspShown):
    """A new ISP, with its key and secret: they are shown this once."""

    api_key: str
    radius_secret: str


class NewApiKey(Shown):
    """A new API key: it is shown this once."""

    api_key: str
    previous_api_key_expires_at: datetime


class NewRadiusSecret(Shown):
    """A new RADIUS secret: it is shown this once."""

    radius_secret: str
    outgoing_radius_secret_until: datetime | None


class Use(Shown):
    """How many there are, and how many there may be; null is unlimited."""

    used: int
    limit: int | None


class Today(Shown):
    """What happened since midnight in the ISP's time zone. Octets are seen from the customers."""

    since: datetime
    logins: int
    rejects: int
    input_octets: int
    output_octets: int


class IspStats(Shown):
    """How an ISP is doing."""

    isp_id: int
    devices: Use
    customers: Use
    online_customers: int
    open_sessions: int
    today: Today


class IspQuery(Paging):
    """Which ISPs."""

    q: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    status: Literal["active", "suspended"] | None = None
    subscription_plan: Subscription | None = None


class IspPage(Page[IspShown]):
    """A part of a list."""
