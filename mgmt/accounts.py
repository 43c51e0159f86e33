"""Create admins and ISPs: what the commands call, and what people's scripts call.

`create_admin` and `create_isp` are for scripts: they find the database by the settings and wait. Inside a running
event loop, or with a connection in hand, use `add_admin` and `add_isp`.
"""

import asyncio
import re
from typing import Final, NamedTuple
from zoneinfo import available_timezones

import asyncpg

from mgmt.database import open_database
from mgmt.faults import EXIT_USAGE, Fault
from mgmt.models import Isp, SubscriptionPlan, api_key_hash
from mgmt.passwords import fault_of_password, generate_password, hash_password
from mgmt.store import isps, users
from radiuscore.settings import Settings
from radiuscore.store.pool import Connection
from radiuscore.store.sealing import Keyring

_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
_MAX_EMAIL: Final = 120
_MAX_LIMIT: Final = 2**31 - 1


class Admin(NamedTuple):
    """An admin who was created. ``password`` is the generated one, and ``None`` where it was chosen."""

    id: int
    email: str
    password: str | None


def create_admin(
    email: str,
    password: str | None = None,
    *,
    first_name: str = "",
    last_name: str = "",
    settings: Settings | None = None,
) -> Admin:
    """Create a user who may see and change every ISP; without a password one is generated. Raises `Fault`."""

    async def create() -> Admin:
        async with open_database(settings or Settings.load()) as database, database.server.connect() as db:
            return await add_admin(db, email, password, first_name=first_name, last_name=last_name)

    return asyncio.run(create())


def create_isp(isp: Isp, *, settings: Settings | None = None) -> Isp:
    """Store an ISP; keys that it does not have yet are generated. Returns it with its id. Raises `Fault`."""

    async def create() -> Isp:
        async with open_database(settings or Settings.load()) as database, database.server.connect() as db:
            return await add_isp(db, database.keyring, isp)

    return asyncio.run(create())


async def add_admin(
    db: Connection, email: str, password: str | None = None, *, first_name: str = "", last_name: str = ""
) -> Admin:
    """Store an admin over a connection of the schemas' owner. Raises `Fault`."""
    _refuse(_fault_of_email(email) or _fault_of_text("first name", first_name, 50, may_be_empty=True))
    _refuse(_fault_of_text("last name", last_name, 50, may_be_empty=True))
    if password is not None and (fault := fault_of_password(password)):
        _refuse(f"The password {fault}: choose another one, or leave it out and one is generated.")
    generated = generate_password() if password is None else None
    password_hash = await hash_password(password or generated or "")
    try:
        user_id = await users.insert_admin(
            db, email=email, password_hash=password_hash, first_name=first_name, last_name=last_name
        )
    except asyncpg.UniqueViolationError:
        raise Fault(f"There is a user with the email {email} already: use another one.") from None
    return Admin(user_id, email, generated)


async def add_isp(db: Connection, keyring: Keyring, isp: Isp) -> Isp:
    """Store an ISP, over a connection of owner or system role; return it with its id. Raises `Fault`."""
    _refuse(_fault_of_isp(isp))
    limits = isp.limits
    try:
        isp.id = await isps.insert(
            db,
            keyring,
            name=isp.name,
            company_name=isp.company_name,
            email=isp.email,
            subscription_plan=isp.subscription_plan,
            max_devices=limits.max_devices,
            max_customers=limits.max_customers,
            api_key_hash=api_key_hash(isp.api_key or isp.generate_api_key()),
            radius_secret=isp.radius_secret or isp.generate_radius_secret(),
            time_zone=isp.time_zone,
        )
    except asyncpg.UniqueViolationError:
        raise Fault(f"There is an ISP with the email {isp.email} already: use another one.") from None
    return isp


def _refuse(fault: str | None) -> None:
    if fault is not None:
        raise Fault(fault, EXIT_USAGE)


def _fault_of_isp(isp: Isp) -> str | None:
    plans = ", ".join(SubscriptionPlan)
    faults = (
        _fault_of_text("name", isp.name, 100),
        _fault_of_text("company name", isp.company_name, 200),
        _fault_of_email(isp.email),
        None if isp.subscription_plan in plans.split(", ") else f"The subscription plan must be one of {plans}.",
        _fault_of_limit("devices", isp.max_devices),
        _fault_of_limit("customers", isp.max_customers),
        None
        if isp.time_zone in available_timezones()
        else "The time zone must be a name of the IANA database, for example Africa/Nairobi.",
        None
        if isp.radius_secret is None or 1 <= len(isp.radius_secret.encode()) <= 100
        else "The RADIUS secret must have 1 to 100 octets.",
    )
    return next(filter(None, faults), None)


def _fault_of_text(what: str, text: str, longest: int, *, may_be_empty: bool = False) -> str | None:
    if "\0" in text:
        return f"The {what} must not hold a NUL."
    if not text.strip() and not (may_be_empty and not text):
        return f"The {what} must not be empty."
    return f"The {what} must have at most {longest} characters." if len(text) > longest else None


def _fault_of_email(email: str) -> str | None:
    if len(email) > _MAX_EMAIL:
        return f"The email must have at most {_MAX_EMAIL} characters."
    return None if _EMAIL.fullmatch(email) else "The email must look like somebody@example.com."


def _fault_of_limit(what: str, limit: int | None) -> str | None:
    if limit is None or 0 <= limit <= _MAX_LIMIT:
        return None
    return f"The number of {what} must be 0 (unlimited) or more."
