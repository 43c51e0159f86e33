"""Who logs in: users by email, their refresh tokens, recovery codes and failed attempts.

All of it under the role ``radiuscore_system``, because before somebody is known there is no tenant.
"""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from radiuscore.store.pool import Connection

FIND_BY_EMAIL: Final = """
SELECT u.id, u.isp_id, u.email, u.password_hash, u.first_name, u.last_name, u.role, u.status, u.token_version,
       u.totp_secret, u.totp_enabled_at, i.status AS isp_status
  FROM control.users AS u
  LEFT JOIN control.isps AS i ON i.id = u.isp_id
 WHERE lower(u.email) = lower($1)
"""
FIND_BY_ID: Final = """
SELECT u.id, u.isp_id, u.email, u.password_hash, u.first_name, u.last_name, u.role, u.status, u.token_version,
       u.totp_secret, u.totp_enabled_at, i.status AS isp_status
  FROM control.users AS u
  LEFT JOIN control.isps AS i ON i.id = u.isp_id
 WHERE u.id = $1
"""
FIND_BY_API_KEY: Final = """
SELECT id AS isp_id, name, status, api_key, previous_api_key
  FROM control.isps
 WHERE api_key = $1
    OR (previous_api_key = $1 AND previous_api_key_expires_at > now())
"""
NOTE_LOGIN: Final = "UPDATE control.users SET last_login_at = now() WHERE id = $1"
END_TOKENS: Final = "UPDATE control.users SET token_version = token_version + 1 WHERE id = $1"
SET_PASSWORD: Final = """
UPDATE control.users
   SET password_hash = $2, password_changed_at = now(), token_version = token_version + 1
 WHERE id = $1
"""
SET_TOTP_SECRET: Final = """
UPDATE control.users SET totp_secret = $2, totp_last_step = NULL WHERE id = $1 AND totp_enabled_at IS NULL RETURNING id
"""
ENABLE_TOTP: Final = "UPDATE control.users SET totp_enabled_at = now() WHERE id = $1"
DISABLE_TOTP: Final = """
UPDATE control.users
   SET totp_secret = NULL, totp_enabled_at = NULL, totp_last_step = NULL, token_version = token_version + 1
 WHERE id = $1
"""
USE_TOTP_STEP: Final = """
UPDATE control.users
   SET totp_last_step = $2
 WHERE id = $1
   AND (totp_last_step IS NULL OR totp_last_step < $2)
RETURNING id
"""

INSERT_REFRESH_TOKEN: Final = """
INSERT INTO control.refresh_tokens (user_id, family, token_hash, expires_at, address, user_agent)
VALUES ($1, $2, $3, now() + $4 * interval '1 second', $5, $6)
"""
# A password change ends every login before it.
LOCK_REFRESH_TOKEN: Final = """
SELECT t.id, t.user_id, t.family, t.used_at IS NOT NULL AS used,
       t.revoked_at IS NOT NULL OR t.issued_at < u.password_changed_at AS revoked, t.expires_at <= now() AS expired
  FROM control.refresh_tokens AS t
  JOIN control.users AS u ON u.id = t.user_id
 WHERE t.token_hash = $1
   FOR UPDATE OF t
"""
USE_REFRESH_TOKEN: Final = "UPDATE control.refresh_tokens SET used_at = now() WHERE id = $1"
REVOKE_FAMILY: Final = """
UPDATE control.refresh_tokens SET revoked_at = now() WHERE family = $1 AND revoked_at IS NULL
"""
FORGET_REFRESH_TOKENS: Final = "DELETE FROM control.refresh_tokens WHERE user_id = $1 AND expires_at < now()"

DELETE_RECOVERY_CODES: Final = "DELETE FROM control.recovery_codes WHERE user_id = $1"
INSERT_RECOVERY_CODES: Final = """
INSERT INTO control.recovery_codes (user_id, code_hash) SELECT $1, hash FROM unnest($2::text[]) AS hash
"""
LIST_RECOVERY_CODES: Final = """
SELECT code_hash FROM control.recovery_codes WHERE user_id = $1 AND used_at IS NULL
"""
USE_RECOVERY_CODE: Final = """
UPDATE control.recovery_codes SET used_at = now()
 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL
RETURNING user_id
"""

# Counted before the password is looked at, so that attempts at the same time cannot be more than attempts in a row.
COUNT_ATTEMPT: Final = """
INSERT INTO control.login_throttle AS t (key, failures, counted_since)
VALUES ($1, 1, now())
ON CONFLICT (key) DO UPDATE
   SET failures = CASE WHEN t.counted_since < now() - $2 * interval '1 second' THEN 1 ELSE t.failures + 1 END,
       counted_since = CASE WHEN t.counted_since < now() - $2 * interval '1 second' THEN now() ELSE t.counted_since END
RETURNING failures, ceil(extract(epoch FROM counted_since + $2 * interval '1 second' - now()))::int AS again_in_s
"""
FORGIVE_ATTEMPT: Final = "UPDATE control.login_throttle SET failures = greatest(failures - 1, 0) WHERE key = $1"
FORGET_ATTEMPTS: Final = "DELETE FROM control.login_throttle WHERE key = $1"


class Person(NamedTuple):
    """A user as logging in sees him. The hash and the sealed secret are kept out of ``repr``."""

    id: int
    isp_id: int | None
    email: str
    password_hash: str
    first_name: str
    last_name: str
    role: str
    status: str
    token_version: int
    totp_secret: str | None
    totp_enabled_at: datetime | None
    isp_status: str | None

    def __repr__(self) -> str:
        return f"Person(id={self.id}, isp_id={self.isp_id}, role={self.role!r})"


class ApiKeyHolder(NamedTuple):
    """The ISP whose key was shown."""

    isp_id: int
    name: str
    status: str
    api_key: str
    previous_api_key: str | None


class RefreshToken(NamedTuple):
    """A refresh token that exists; it is good if it is neither used, revoked nor expired."""

    id: int
    user_id: int
    family: UUID
    used: bool
    revoked: bool
    expired: bool


class Attempts(NamedTuple):
    """How many attempts were counted, and after how many seconds they are forgotten."""

    failures: int
    again_in_s: int


async def find_by_email(db: Connection, email: str) -> Person | None:
    """Return the user with this email, in any case of letters."""
    row = await db.fetchrow(FIND_BY_EMAIL, email)
    return None if row is None else Person(*row)


async def find_by_id(db: Connection, user_id: int) -> Person | None:
    """Return the user with this id."""
    row = await db.fetchrow(FIND_BY_ID, user_id)
    return None if row is None else Person(*row)


async def find_by_api_key(db: Connection, key_hash: str) -> ApiKeyHolder | None:
    """Return the ISP whose API key, or key before while it still works, has this hash."""
    row = await db.fetchrow(FIND_BY_API_KEY, key_hash)
    return None if row is None else ApiKeyHolder(*row)


async def lock_refresh_token(db: Connection, token_hash: str) -> RefreshToken | None:
    """Return the refresh token of this hash; whoever else shows it waits for this transaction."""
    row = await db.fetchrow(LOCK_REFRESH_TOKEN, token_hash)
    return None if row is None else RefreshToken(*row)


async def count_attempt(db: Connection, key: str, window_s: float) -> Attempts:
    """Count an attempt at what is throttled and return how many there were within the window."""
    row = await db.fetchrow(COUNT_ATTEMPT, key, window_s)
    assert row is not None
    return Attempts(*row)
