"""What the API is told beside the databases: as JSON, from the supervisor to the management process."""

from dataclasses import asdict, dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from radiuscore.settings import Address, Network, RequestRate, Settings


@dataclass(frozen=True, slots=True)
class RouterDefaults:
    """Ports of routers' services where a device names none, and how many seconds one call to a router may take."""

    api_port: int = 8728
    api_ssl_port: int = 8729
    rest_port: int = 443
    ssh_port: int = 22
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class RadiusPlace:
    """Where this installation answers RADIUS: addresses it listens on (a wildcard is every one), and ports."""

    hosts: tuple[Address, ...] = ()
    auth_port: int = 1812
    acct_port: int = 1813


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The key that signs tokens, the rate of requests per ISP, and where devices may be (`Settings.outbound_allow`)."""

    jwt_secret_key: str = field(repr=False)
    rate: RequestRate
    outbound_allow: tuple[Network, ...] | None = None
    routers: RouterDefaults = RouterDefaults()
    radius: RadiusPlace = RadiusPlace()

    @classmethod
    def of(cls, settings: Settings, jwt_secret_key: str) -> "ApiConfig":
        """Return what the settings say."""
        routers = RouterDefaults(
            api_port=settings.mikrotik_api_port,
            ssh_port=settings.mikrotik_ssh_port,
            timeout_s=settings.mikrotik_timeout,
        )
        radius = RadiusPlace(settings.radius_hosts, settings.radius_auth_port, settings.radius_acct_port)
        return cls(jwt_secret_key, settings.api_rate_limit, settings.outbound_allow, routers, radius)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "jwt_secret_key": self.jwt_secret_key,
            "rate": list(self.rate),
            "outbound_allow": None if self.outbound_allow is None else list(map(str, self.outbound_allow)),
            "routers": asdict(self.routers),
            "radius": asdict(self.radius) | {"hosts": list(map(str, self.radius.hosts))},
        }

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "ApiConfig":
        """Return what `to_json` wrote."""
        allowed = given["outbound_allow"]
        radius = given["radius"]
        return cls(
            given["jwt_secret_key"],
            RequestRate(*given["rate"]),
            None if allowed is None else tuple(map(ip_network, allowed)),
            RouterDefaults(**given["routers"]),
            RadiusPlace(**radius | {"hosts": tuple(map(ip_address, radius["hosts"]))}),
        )
