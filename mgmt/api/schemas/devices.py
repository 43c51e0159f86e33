"""Devices: the routers of an ISP, with the specification's names."""

from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from mgmt.api.schemas.base import (
    Body,
    Id,
    IspId,
    Name,
    Notes,
    Octets,
    Page,
    Port,
    Search,
    Secret,
    Shown,
    Text100,
    Text200,
    patch_of,
)

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
SecretText: TypeAlias = Annotated[str, Secret(200)]
RadiusSecret: TypeAlias = Annotated[str, Secret(100)]
WhetherSigned: TypeAlias = Literal["yes", "no", "auto"]

EXAMPLE: JsonDict = {
    "username": "admin",
    "password": "admin123",
    "api_key": "your_api_key",
    "device_name": "Main Router",
    "device_ip": "192.168.1.1",
    "device_model": "RB951G-2HnD",
    "location": "Main Office",
    "notes": "Primary router",
}


class DeviceFields(Body):
    """What can be said of a device. Secrets go in and never come out."""

    username: Annotated[Text100 | None, Field(description="For logging in to the router.")] = None
    password: Annotated[SecretText | None, Field(description="For logging in to the router.")] = None
    api_key: Annotated[
        SecretText | None,
        Field(description="What the router shows when it calls us; RouterOS itself has no API keys."),
    ] = None
    device_name: Name
    device_ip: Annotated[Address, Field(description="Management address, and where its RADIUS requests come from.")]
    device_model: Text100 | None = None
    location: Text200 | None = None
    notes: Notes | None = None
    radius_sources: Annotated[
        list[Network], Field(max_length=100, description="Where its RADIUS requests come from instead.")
    ] = Field(default_factory=list)
    radius_secret: Annotated[RadiusSecret | None, Field(description="Instead of the ISP's.")] = None
    nas_identifier: Annotated[str, Octets(253)] | None = None
    coa_port: Port = 3799
    api_port: Port | None = None
    ssh_port: Port | None = None
    use_tls: bool = False
    tls_fingerprint: Annotated[
        str | None,
        Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the router's certificate, hex. Null: the next."),
    ] = None
    ssh_host_key: Annotated[
        str | None,
        Field(
            max_length=200,
            pattern=r"^[a-z0-9@.-]+ SHA256:[A-Za-z0-9+/]{43}$",
            description="Kind and SHA-256 of the router's SSH host key. Null: the next one is taken and pinned.",
        ),
    ] = None
    require_message_authenticator: WhetherSigned = "auto"
    limit_proxy_state: bool = True
    swap_octets: Annotated[bool, Field(description="The router counts input and output the wrong way round.")] = False


class NewDevice(DeviceFields):
    """A device to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    isp_id: IspId | None = None


DevicePatch = patch_of(DeviceFields, "DevicePatch")


class DeviceShown(Shown):
    """A device. ``radius_secret_of`` tells whose secret it uses; null: none, and it cannot speak RADIUS."""

    id: Id
    isp_id: int
    username: str | None
    device_name: str
    device_ip: Address
    device_model: str | None
    location: str | None
    notes: str | None
    radius_sources: list[Network]
    nas_identifier: str | None
    coa_port: int
    api_port: int | None
    ssh_port: int | None
    use_tls: bool
    tls_fingerprint: str | None
    ssh_host_key: str | None
    require_message_authenticator: WhetherSigned
    message_authenticator_seen_at: datetime | None
    limit_proxy_state: bool
    swap_octets: bool
    proved_at: datetime | None
    has_password: bool
    has_api_key: bool
    radius_secret_of: Literal["device", "isp"] | None
    state: Literal["unknown", "online", "offline"]
    seen_at: datetime | None
    created_at: datetime
    updated_at: datetime


class DeviceQuery(Search):
    """Which devices."""

    state: Literal["unknown", "online", "offline"] | None = None
    location: Text200 | None = None


class DevicePage(Page[DeviceShown]):
    """A part of a list."""
