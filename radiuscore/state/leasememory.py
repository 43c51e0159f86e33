"""Which addresses of central pools the devices of customers have, as far as this process gave them: for when the
database is away. What it knows ends with the lease, because then the address may be somebody else's.
"""

from typing import Final, NamedTuple, TypeAlias

from cachetools import LRUCache

from radiuscore.aaa.claims import Claim
from radiuscore.aaa.pools import Leases, WantedPools
from radiuscore.aaa.records import CustomerId, IspId, NasId

MAX_DEVICES: Final = 20_000

Device: TypeAlias = tuple[IspId, CustomerId, NasId, str]


class _Given(NamedTuple):
    session_uuid: bytes
    pools: WantedPools
    leases: Leases
    until: float


class LeaseMemory:
    """Leases by device, bounded; the least lately used go first. Times are monotonic seconds."""

    __slots__ = ("_given",)

    def __init__(self, limit: int = MAX_DEVICES) -> None:
        self._given: LRUCache[Device, _Given] = LRUCache(limit)

    def __len__(self) -> int:
        return len(self._given)

    def remember(self, claim: Claim, leases: Leases, now: float) -> None:
        """Keep what a claim was given; nothing where no MAC address tells the device from the customer's others."""
        if claim.mac is not None:
            key = claim.isp_id, claim.customer_id, claim.nas_id, claim.mac
            self._given[key] = _Given(claim.session_uuid, claim.pools, leases, now + claim.held_s)

    def recall(self, claim: Claim, now: float) -> Leases | None:
        """Return what the claim's device has, if it is of the pools claimed now and the lease has not ended."""
        if claim.mac is None:
            return None
        given = self._given.get((claim.isp_id, claim.customer_id, claim.nas_id, claim.mac))
        if given is None or given.pools != claim.pools or given.until <= now:
            return None
        return given.leases

    def sessions(self) -> dict[bytes, tuple[Device, int]]:
        """Return whose the remembered sessions are, by the Class of their Accept, and how many addresses each has."""
        return {
            given.session_uuid: (device, sum(one is not None for one in given.leases))
            for device, given in self._given.items()
        }

    def renew(self, device: Device, session_uuid: bytes, until: float | None) -> None:
        """Let a session's leases end at another time, or forget them (``None``); others of the device stay."""
        given = self._given.get(device)
        if given is None or given.session_uuid != session_uuid:
            return
        if until is None:
            del self._given[device]
        else:
            self._given[device] = given._replace(until=until)
