"""The records that scripts and commands build before they are stored."""

import hashlib
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple


class SubscriptionPlan(StrEnum):
    """What an ISP has subscribed to; it decides the limits that are not given."""

    BASIC = "basic"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class Limits(NamedTuple):
    """How many devices and customers an ISP may have; 0 is unlimited."""

    max_devices: int
    max_customers: int


PLAN_LIMITS: Final = {
    SubscriptionPlan.BASIC: Limits(10, 100),
    SubscriptionPlan.PRO: Limits(20, 200),
    SubscriptionPlan.ENTERPRISE: Limits(50, 500),
}

API_KEY_PREFIX: Final = "rcisp_"  # lets a person, or a scanner of repositories, see what has leaked


@dataclass(slots=True)
class Isp:
    """An ISP as it is created. ``id`` is known once it is stored; a limit that is ``None`` is the plan's.

    ``api_key`` is the key itself, which is stored only as `api_key_hash`, so here is the one place to see it.
    """

    name: str
    company_name: str
    email: str
    subscription_plan: str = SubscriptionPlan.BASIC
    max_devices: int | None = None
    max_customers: int | None = None
    time_zone: str = "UTC"
    api_key: str | None = field(default=None, repr=False)
    radius_secret: str | None = field(default=None, repr=False)
    id: int | None = None

    def generate_api_key(self) -> str:
        """Give the ISP a new API key of 256 random bits; return it."""
        self.api_key = API_KEY_PREFIX + secrets.token_urlsafe(32)
        return self.api_key

    def generate_radius_secret(self) -> str:
        """Give the ISP a new RADIUS secret of 128 random bits; return it.

        32 hexadecimal digits, because it is typed into routers: nothing to quote, no letter to mistake.
        """
        self.radius_secret = secrets.token_hex(16)
        return self.radius_secret

    @property
    def limits(self) -> Limits:
        """The limits in force: what was given, else the plan's. KeyError for a plan that does not exist."""
        plan = PLAN_LIMITS[SubscriptionPlan(self.subscription_plan)]
        return Limits(
            plan.max_devices if self.max_devices is None else self.max_devices,
            plan.max_customers if self.max_customers is None else self.max_customers,
        )


def api_key_hash(api_key: str) -> str:
    """Return what is stored of an API key: its SHA-256 in hex. The key is random, so no salt and no slow hash."""
    return hashlib.sha256(api_key.encode()).hexdigest()
