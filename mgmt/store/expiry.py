"""What the API leaves behind that ends by itself: secrets being rotated, failed logins, tokens, requests done once."""

from typing import Final

from radiuscore.store.pool import Connection

END_ROTATIONS: Final = {
    "isps": """
WITH ended AS (
  UPDATE control.isps
     SET outgoing_radius_secret = NULL, outgoing_radius_secret_until = NULL
   WHERE outgoing_radius_secret_until <= now()
  RETURNING id
)
SELECT count(*) FROM ended
""",
    "devices": """
WITH ended AS (
  UPDATE control.devices
     SET outgoing_radius_secret = NULL, outgoing_radius_secret_until = NULL
   WHERE outgoing_radius_secret_until <= now()
  RETURNING isp_id
)
SELECT count(*) FROM ended
""",
    "keys": """
WITH ended AS (
  UPDATE control.isps
     SET previous_api_key = NULL, previous_api_key_expires_at = NULL
   WHERE previous_api_key_expires_at <= now()
  RETURNING id
)
SELECT count(*) FROM ended
""",
}
FORGET: Final = {
    "requests": """
WITH gone AS (
  DELETE FROM control.idempotency_keys WHERE created_at < now() - interval '24 hours' RETURNING isp_id
)
SELECT count(*) FROM gone
""",
    "tokens": """
WITH gone AS (DELETE FROM control.refresh_tokens WHERE expires_at < now() RETURNING id) SELECT count(*) FROM gone
""",
    "failures": """
WITH gone AS (
  DELETE FROM control.login_throttle WHERE counted_since < now() - interval '1 day' RETURNING key
)
SELECT count(*) FROM gone
""",
}


async def end_rotations(db: Connection) -> int:
    """Take away secrets and API keys whose time beside their successor is over; return how many."""
    return sum([await db.fetchval(statement) for statement in END_ROTATIONS.values()])


async def forget(db: Connection) -> int:
    """Delete what is of no use any more; return how many rows."""
    return sum([await db.fetchval(statement) for statement in FORGET.values()])
