"""What the API is told beside the databases: as JSON, from the supervisor to the management process."""

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from radiuscore.settings import Network, RequestRate, Settings


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The key that signs tokens, the rate of requests per ISP, and where devices may be (`Settings.outbound_allow`)."""

    jwt_secret_key: str = field(repr=False)
    rate: RequestRate
    outbound_allow: tuple[Network, ...] | None = None

    @classmethod
    def of(cls, settings: Settings, jwt_secret_key: str) -> "ApiConfig":
        """Return what the settings say."""
        return cls(jwt_secret_key, settings.api_rate_limit, settings.outbound_allow)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        allowed = None if self.outbound_allow is None else [str(network) for network in self.outbound_allow]
        return {"jwt_secret_key": self.jwt_secret_key, "rate": list(self.rate), "outbound_allow": allowed}

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "ApiConfig":
        """Return what `to_json` wrote."""
        allowed = given["outbound_allow"]
        networks = None if allowed is None else tuple(ip_network(network) for network in allowed)
        return cls(given["jwt_secret_key"], RequestRate(*given["rate"]), networks)
