"""Users as the API reads and writes them. An admin's isp_id is NULL, which only the role radiuscore_system can see."""

from typing import Final

# Found is whether there is one, because an admin has no ISP.
FIND_ISP: Final = "SELECT isp_id, true AS found FROM control.users WHERE id = $1"
NEXT_ID: Final = "SELECT nextval('control.users_id_seq')"
INSERT: Final = """
INSERT INTO control.users (id, isp_id, email, password_hash, first_name, last_name, role, status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
LOCK: Final = "SELECT id FROM control.users WHERE isp_id IS NOT DISTINCT FROM $1 AND id = $2 FOR NO KEY UPDATE"
FIND: Final = """
SELECT id, isp_id, email, first_name, last_name, role, status, totp_enabled_at IS NOT NULL AS mfa_enabled,
       last_login_at, password_changed_at, created_at, updated_at
  FROM control.users
 WHERE isp_id IS NOT DISTINCT FROM $1
   AND id = $2
"""
LIST: Final = """
SELECT id, isp_id, email, first_name, last_name, role, status, totp_enabled_at IS NOT NULL AS mfa_enabled,
       last_login_at, password_changed_at, created_at, updated_at
  FROM control.users
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND id > $2
   AND ($3::text IS NULL OR role = $3)
   AND ($4::text IS NULL OR status = $4)
   AND ($5::text IS NULL OR strpos(lower(concat_ws(' ', email, first_name, last_name)), lower($5)) > 0)
 ORDER BY id
 LIMIT $6
"""
UPDATE: Final = """
UPDATE control.users AS u
   SET email = new.email, first_name = new.first_name, last_name = new.last_name, role = new.role, status = new.status
  FROM control.users AS old, jsonb_populate_record(old, $3) AS new
 WHERE old.isp_id IS NOT DISTINCT FROM $1 AND old.id = $2 AND u.id = old.id
"""
SET_PASSWORD: Final = """
UPDATE control.users
   SET password_hash = $3, password_changed_at = now()
 WHERE isp_id IS NOT DISTINCT FROM $1
   AND id = $2
"""
END_TOKENS: Final = """
UPDATE control.users SET token_version = token_version + 1 WHERE isp_id IS NOT DISTINCT FROM $1 AND id = $2
"""
DELETE: Final = "DELETE FROM control.users WHERE isp_id IS NOT DISTINCT FROM $1 AND id = $2"
