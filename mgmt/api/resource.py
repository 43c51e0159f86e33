"""What the resources of an ISP have in common: sealing, limits, rows and their versions, refusals explained."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, Literal

import asyncpg

from mgmt.call import Call
from mgmt.problems import Problem, invalid
from mgmt.store import limits
from radiuscore.store.pool import Connection

_OF_CONSTRAINT: Final[Mapping[str, str]] = {
    "devices_isp_id_device_ip_key": "device_ip_taken",
    "customers_isp_id_username_key_key": "username_taken",
    "service_plans_isp_id_name_key": "name_taken",
    "isps_email_key": "email_taken",
    "isps_email_folded": "email_taken",
    "users_email_key": "email_taken",
    "users_email_folded": "email_taken",
}
_OF_REFERENCE: Final[Mapping[str, str]] = {
    "customers_isp_id_service_plan_id_fkey": "service_plan_id",
    "customer_devices_isp_id_device_id_fkey": "device_ids",
}
_OF_CHECK: Final[Mapping[str, tuple[str, str]]] = {
    "devices_check": (
        "require_message_authenticator",
        "must be yes where a source is wider than /24 (IPv6: /48)",
    ),
    "service_plans_check": ("quota_anchor_day", "must be 1 (Monday) to 7 for a weekly quota"),
    "isps_time_zone_check": ("time_zone", "must be a name of the IANA database, for example Africa/Nairobi"),
}


@contextmanager
def refusals_explained() -> Iterator[None]:
    """Turn what the database refuses into a `Problem`. What it should never have been asked stays an error."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise Problem(_OF_CONSTRAINT.get(error.constraint_name or "", "conflict")) from None
    except asyncpg.ForeignKeyViolationError as error:
        field = _OF_REFERENCE.get(error.constraint_name or "")
        if field is None or "still referenced" in (error.detail or ""):
            raise Problem("in_use") from None
        raise invalid(field, "there is no such row", code="unknown_reference") from None
    except asyncpg.CheckViolationError as error:
        known = _OF_CHECK.get(error.constraint_name or "")
        if known is None:
            raise
        raise invalid(*known) from None


async def lock_room(call: Call, db: Connection, isp_id: int, what: Literal["devices", "customers"]) -> None:
    """Make sure that an ISP may have one more, until the transaction ends. Raises `Problem`."""
    room = await limits.lock_room(db, isp_id, what)
    if room is None:
        raise invalid("isp_id", "there is no such ISP", code="unknown_reference")
    if room.is_full:
        detail = f"{room.used} of {room.limit} {what}"
        raise Problem("limit_reached", detail, resource=what, used=room.used, limit=room.limit)


def seal(call: Call, fields: dict[str, Any], table: str, row: int, isp_id: int, *columns: str) -> dict[str, Any]:
    """Return fields with the secrets among them sealed for their place."""
    sealed = {
        column: call.services.keyring.seal(fields[column], table=table, row=row, column=column, isp_id=isp_id)
        for column in columns
        if fields.get(column) is not None
    }
    return fields | sealed


def version_of(row: asyncpg.Record) -> str:
    """Return the version of a row, for ETag: it has another one after every change."""
    changed: datetime = row["updated_at"]
    return f"{row['id']}-{int(changed.timestamp() * 1_000_000):x}"


async def load(db: Connection, statement: str, isp_id: int | None, row: int) -> asyncpg.Record:
    """Return one row of an ISP. Raises `Problem` where it has no such row."""
    found: asyncpg.Record | None = await db.fetchrow(statement, isp_id, row)
    if found is None:
        raise Problem("not_found")
    return found


async def lock(
    call: Call, db: Connection, lock_statement: str, find_statement: str, isp_id: int | None, row: int
) -> asyncpg.Record:
    """Return one row of an ISP that nobody else changes until the transaction ends, as the client has seen it.

    Raises `Problem` where there is none, or where it is not that any more (If-Match).
    """
    await load(db, lock_statement, isp_id, row)
    found = await load(db, find_statement, isp_id, row)
    call.check_etag(version_of(found))
    return found
