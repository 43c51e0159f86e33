"""What the server learns of a device from the packets it verified, and what must be stored of it."""

from typing import NamedTuple

from radiuscore.aaa.records import IspId, NasId


class DeviceProved(NamedTuple):
    """A packet verified by this device's secret came from its address; the first one gives it precedence there.

    ``at`` is seconds since 1970. ``address`` is where it came from, 4 or 16 octets: the proof is for no other address,
    so one that is stored late does not count for a device that has been given another meanwhile.
    """

    isp_id: IspId
    nas_id: NasId
    at: float
    address: bytes


class DeviceSigned(NamedTuple):
    """The device sent its first valid Message-Authenticator: the policy ``auto`` latches.

    ``at`` is seconds since 1970.
    """

    isp_id: IspId
    nas_id: NasId
    at: float
