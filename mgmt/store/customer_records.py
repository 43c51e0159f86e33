"""Customers as the API reads and writes them. A body is one JSON parameter, which PostgreSQL casts to its columns."""

from typing import Final

FIND_ISP: Final = "SELECT isp_id FROM control.customers WHERE id = $1"
NEXT_ID: Final = "SELECT nextval('control.customers_id_seq')"
INSERT: Final = """
INSERT INTO control.customers
       (id, isp_id, username, username_key, password, service_plan_id, status, expires_at, framed_ip_address,
        framed_ipv6_prefix, delegated_ipv6_prefix, framed_routes, mac_addresses, simultaneous_use, download_bps,
        upload_bps, rate_limit, address_list, full_name, email, phone, notes)
SELECT $2, $1, new.username, new.username_key, new.password, new.service_plan_id, new.status, new.expires_at,
       new.framed_ip_address, new.framed_ipv6_prefix, new.delegated_ipv6_prefix, new.framed_routes, new.mac_addresses,
       new.simultaneous_use, new.download_bps, new.upload_bps, new.rate_limit, new.address_list, new.full_name,
       new.email, new.phone, new.notes
  FROM jsonb_populate_record(NULL::control.customers, $3) AS new
"""
ADD_DEVICES: Final = """
INSERT INTO control.customer_devices (isp_id, customer_id, device_id)
SELECT $1, $2, device_id FROM unnest($3::bigint[]) AS device_id
    ON CONFLICT DO NOTHING
"""
REMOVE_DEVICES: Final = """
DELETE FROM control.customer_devices WHERE isp_id = $1 AND customer_id = $2 AND device_id <> ALL ($3::bigint[])
"""
LOCK: Final = "SELECT id FROM control.customers WHERE isp_id = $1 AND id = $2 FOR NO KEY UPDATE"
FIND: Final = """
SELECT c.id, c.isp_id, c.username, c.password IS NOT NULL AS has_password, c.service_plan_id, c.status, c.expires_at,
       c.framed_ip_address, c.framed_ipv6_prefix, c.delegated_ipv6_prefix, c.framed_routes, c.mac_addresses,
       ARRAY(SELECT d.device_id FROM control.customer_devices AS d
              WHERE d.isp_id = c.isp_id AND d.customer_id = c.id ORDER BY d.device_id) AS device_ids,
       c.simultaneous_use, c.download_bps, c.upload_bps, c.rate_limit, c.address_list, c.quota_state, c.quota_until,
       c.full_name, c.email, c.phone, c.notes, c.created_at, c.updated_at
  FROM control.customers AS c
 WHERE c.isp_id = $1
   AND c.id = $2
"""
LIST: Final = """
SELECT c.id, c.isp_id, c.username, c.password IS NOT NULL AS has_password, c.service_plan_id, c.status, c.expires_at,
       c.framed_ip_address, c.framed_ipv6_prefix, c.delegated_ipv6_prefix, c.framed_routes, c.mac_addresses,
       ARRAY(SELECT d.device_id FROM control.customer_devices AS d
              WHERE d.isp_id = c.isp_id AND d.customer_id = c.id ORDER BY d.device_id) AS device_ids,
       c.simultaneous_use, c.download_bps, c.upload_bps, c.rate_limit, c.address_list, c.quota_state, c.quota_until,
       c.full_name, c.email, c.phone, c.notes, c.created_at, c.updated_at
  FROM control.customers AS c
 WHERE ($1::int IS NULL OR c.isp_id = $1)
   AND c.id > $2
   AND ($3::text IS NULL OR c.status = $3)
   AND ($4::bigint IS NULL OR c.service_plan_id = $4)
   AND ($5::text IS NULL OR c.username_key = $5)
   AND ($6::timestamptz IS NULL OR c.expires_at < $6)
   AND ($7::timestamptz IS NULL OR c.expires_at >= $7)
   AND ($8::text IS NULL
        OR strpos(lower(concat_ws(' ', c.username, c.full_name, c.email, c.phone, c.notes)), lower($8)) > 0)
 ORDER BY c.id
 LIMIT $9
"""
# The first is what workers read, so that the change of a note wakes nobody.
UPDATE_LOGIN: Final = """
UPDATE control.customers AS c
   SET username = new.username, username_key = new.username_key, password = new.password,
       service_plan_id = new.service_plan_id, status = new.status, expires_at = new.expires_at,
       framed_ip_address = new.framed_ip_address, framed_ipv6_prefix = new.framed_ipv6_prefix,
       delegated_ipv6_prefix = new.delegated_ipv6_prefix, framed_routes = new.framed_routes,
       mac_addresses = new.mac_addresses, simultaneous_use = new.simultaneous_use, download_bps = new.download_bps,
       upload_bps = new.upload_bps, rate_limit = new.rate_limit, address_list = new.address_list
  FROM control.customers AS old, jsonb_populate_record(old, $3) AS new
 WHERE old.isp_id = $1 AND old.id = $2 AND c.isp_id = $1 AND c.id = $2
"""
UPDATE_OTHER: Final = """
UPDATE control.customers AS c
   SET full_name = new.full_name, email = new.email, phone = new.phone, notes = new.notes
  FROM control.customers AS old, jsonb_populate_record(old, $3) AS new
 WHERE old.isp_id = $1 AND old.id = $2 AND c.isp_id = $1 AND c.id = $2
"""
DELETE: Final = "DELETE FROM control.customers WHERE isp_id = $1 AND id = $2"

OTHER_FIELDS: Final = frozenset({"full_name", "email", "phone", "notes", "device_ids"})
