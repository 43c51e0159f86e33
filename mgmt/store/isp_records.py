"""ISPs as the API reads and writes them. The list is for admins."""

from typing import Final

LOCK: Final = "SELECT id FROM control.isps WHERE id = $1 AND id = $2 FOR NO KEY UPDATE"
FIND: Final = """
SELECT id, name, company_name, email, subscription_plan, max_devices, max_customers, time_zone, status,
       radius_secret IS NOT NULL AS has_radius_secret, previous_api_key_expires_at, outgoing_radius_secret_until,
       created_at, updated_at
  FROM control.isps
 WHERE id = $1
   AND id = $2
"""
LIST: Final = """
SELECT id, name, company_name, email, subscription_plan, max_devices, max_customers, time_zone, status,
       radius_secret IS NOT NULL AS has_radius_secret, previous_api_key_expires_at, outgoing_radius_secret_until,
       created_at, updated_at
  FROM control.isps
 WHERE id > $1
   AND ($2::text IS NULL OR status = $2)
   AND ($3::text IS NULL OR subscription_plan = $3)
   AND ($4::text IS NULL OR strpos(lower(concat_ws(' ', name, company_name, email)), lower($4)) > 0)
 ORDER BY id
 LIMIT $5
"""
FIND_SECRET: Final = "SELECT radius_secret FROM control.isps WHERE id = $1"
# Split by who may write it, and by what workers read.
UPDATE_SERVED: Final = """
UPDATE control.isps AS i
   SET name = new.name, time_zone = new.time_zone, radius_secret = new.radius_secret
  FROM control.isps AS old, jsonb_populate_record(old, $2) AS new
 WHERE old.id = $1 AND i.id = $1
"""
UPDATE_OTHER: Final = """
UPDATE control.isps AS i
   SET company_name = new.company_name, email = new.email
  FROM control.isps AS old, jsonb_populate_record(old, $2) AS new
 WHERE old.id = $1 AND i.id = $1
"""
UPDATE_CONTRACT: Final = """
UPDATE control.isps AS i
   SET subscription_plan = new.subscription_plan, max_devices = new.max_devices, max_customers = new.max_customers
  FROM control.isps AS old, jsonb_populate_record(old, $2) AS new
 WHERE old.id = $1 AND i.id = $1
"""
UPDATE_STATUS: Final = """
UPDATE control.isps AS i
   SET status = new.status
  FROM control.isps AS old, jsonb_populate_record(old, $2) AS new
 WHERE old.id = $1 AND i.id = $1
"""
ROTATE_API_KEY: Final = """
UPDATE control.isps
   SET previous_api_key = api_key, previous_api_key_expires_at = now() + $3 * interval '1 second', api_key = $2
 WHERE id = $1
RETURNING previous_api_key_expires_at
"""
ROTATE_RADIUS_SECRET: Final = """
UPDATE control.isps
   SET radius_secret = $2, outgoing_radius_secret = $3,
       outgoing_radius_secret_until = CASE WHEN $3::text IS NOT NULL THEN now() + $4 * interval '1 second' END
 WHERE id = $1
RETURNING outgoing_radius_secret_until
"""
DELETE: Final = "DELETE FROM control.isps WHERE id = $1"

UPDATES: Final = (
    (UPDATE_SERVED, frozenset({"name", "time_zone", "radius_secret"})),
    (UPDATE_OTHER, frozenset({"company_name", "email"})),
    (UPDATE_CONTRACT, frozenset({"subscription_plan", "max_devices", "max_customers"})),
    (UPDATE_STATUS, frozenset({"status"})),
)

COUNT_USE: Final = """
SELECT (SELECT count(*) FROM control.devices AS d WHERE d.isp_id = i.id) AS devices,
       (SELECT count(*) FROM control.customers AS c WHERE c.isp_id = i.id) AS customers,
       nullif(i.max_devices, 0) AS max_devices, nullif(i.max_customers, 0) AS max_customers,
       date_trunc('day', now(), i.time_zone) AS since, (now() AT TIME ZONE i.time_zone)::date AS day
  FROM control.isps AS i
 WHERE i.id = $1
"""
COUNT_ONLINE: Final = """
SELECT count(*) AS open_sessions, count(DISTINCT customer_id) AS online_customers
  FROM accounting.sessions
 WHERE isp_id = $1
   AND state <> 'closed'
"""
COUNT_LOGINS: Final = """
SELECT count(*) FILTER (WHERE outcome = 'accept') AS logins, count(*) FILTER (WHERE outcome = 'reject') AS rejects
  FROM accounting.auth_log
 WHERE isp_id = $1
   AND at >= $2
"""
SUM_TRAFFIC: Final = """
SELECT coalesce(sum(input_octets), 0)::bigint AS input_octets, coalesce(sum(output_octets), 0)::bigint AS output_octets
  FROM accounting.usage_day
 WHERE isp_id = $1
   AND day = $2
"""
