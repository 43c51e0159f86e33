"""How often somebody may fail: per account, per address, and per one-time password. Counted in the database.

An attempt counts before it is judged, and is forgiven when it was right, so that attempts at once are not more than
attempts in a row. Unknown accounts count like known ones.
"""

from ipaddress import ip_address, ip_network
from typing import Final

from mgmt.problems import Problem
from mgmt.services import Services
from mgmt.store import people

WINDOW_S: Final = 900
OF_ACCOUNT: Final = 10
OF_ADDRESS: Final = 50
OF_OTP: Final = 5
_IPV6_SITE: Final = 64  # bits; whoever has one address of it has all


def account_key(email: str) -> str:
    """Return what an account's attempts are counted under."""
    return f"account:{email.lower()}"


def address_key(address: str | None) -> str:
    """Return what an address's attempts are counted under; an IPv6 network counts as one."""
    if address is None:
        return "address:unknown"
    parsed = ip_address(address.partition("%")[0])
    return f"address:{parsed if parsed.version == 4 else ip_network((parsed, _IPV6_SITE), strict=False)}"


def otp_key(user_id: int) -> str:
    """Return what a user's one-time passwords are counted under."""
    return f"otp:{user_id}"


async def count(services: Services, key: str, most: int) -> None:
    """Count an attempt. Raises `Problem` where there have been too many."""
    async with services.control.system.acquire() as db:
        attempts = await people.count_attempt(db, key, WINDOW_S)
    if attempts.failures > most:
        raise Problem("too_many_logins", headers={"Retry-After": str(max(1, attempts.again_in_s))})


async def forgive(services: Services, *, forget: tuple[str, ...], once: tuple[str, ...] = ()) -> None:
    """Take back attempts that were right: all that were counted under ``forget``, one each under ``once``."""
    async with services.control.system.acquire() as db:
        for key in forget:
            await db.execute(people.FORGET_ATTEMPTS, key)
        for key in once:
            await db.execute(people.FORGIVE_ATTEMPT, key)
