"""Who changed what: one row per change, in its transaction, with old and new; of secrets only that they changed."""

from collections.abc import Mapping
from typing import Any, Final

from mgmt.call import Call
from mgmt.store import auditlog
from radiuscore.store.pool import Connection

MASK: Final = "***"
SECRETS: Final = frozenset(
    {
        "password",
        "password_hash",
        "api_key",
        "previous_api_key",
        "radius_secret",
        "outgoing_radius_secret",
        "totp_secret",
        "secret",
    }
)


async def record(
    call: Call,
    db: Connection,
    action: str,
    *,
    isp_id: int | None,
    target: tuple[str, int],
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
) -> None:
    """Write down a change: ``old`` and ``new`` are the fields that changed, or all of what is gone or new."""
    details = {name: masked(fields) for name, fields in (("old", old), ("new", new)) if fields is not None}
    principal = call.principal
    await auditlog.insert(
        db,
        isp_id,
        user_id=principal.user_id,
        actor=principal.actor,
        action=action,
        target=target,
        address=call.address,
        request_id=call.request_id,
        details=details,
    )


def masked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as they may be shown: a secret is three stars, or nothing where there is none."""
    return {name: (None if value is None else MASK) if name in SECRETS else value for name, value in fields.items()}


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of ``new`` that differ from ``old``, before and after."""
    names = [name for name, value in new.items() if name in SECRETS or old.get(name) != value]
    return {name: old.get(name) for name in names}, {name: new[name] for name in names}
