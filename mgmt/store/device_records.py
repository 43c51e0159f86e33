"""Devices as the API reads and writes them. A body is one JSON parameter, which PostgreSQL casts to its columns."""

from typing import Final

FIND_ISP: Final = "SELECT isp_id FROM control.devices WHERE id = $1"
NEXT_ID: Final = "SELECT nextval('control.devices_id_seq')"
INSERT: Final = """
INSERT INTO control.devices
       (id, isp_id, username, password, api_key, device_name, device_ip, device_model, location, notes, radius_sources,
        radius_secret, nas_identifier, coa_port, api_port, ssh_port, use_tls, tls_fingerprint,
        ssh_host_key, require_message_authenticator, limit_proxy_state, swap_octets)
SELECT $2, $1, new.username, new.password, new.api_key, new.device_name, new.device_ip, new.device_model, new.location,
       new.notes, new.radius_sources, new.radius_secret, new.nas_identifier, new.coa_port, new.api_port, new.ssh_port,
       new.use_tls, new.tls_fingerprint, new.ssh_host_key, new.require_message_authenticator, new.limit_proxy_state,
       new.swap_octets
  FROM jsonb_populate_record(NULL::control.devices, $3) AS new
"""
LOCK: Final = "SELECT id FROM control.devices WHERE isp_id = $1 AND id = $2 FOR NO KEY UPDATE"
FIND: Final = """
SELECT d.id, d.isp_id, d.username, d.device_name, d.device_ip, d.device_model, d.location, d.notes, d.radius_sources,
       d.nas_identifier, d.coa_port, d.api_port, d.ssh_port, d.use_tls, d.tls_fingerprint, d.ssh_host_key,
       d.require_message_authenticator, d.message_authenticator_seen_at, d.limit_proxy_state, d.swap_octets,
       d.proved_at, d.password IS NOT NULL AS has_password, d.api_key IS NOT NULL AS has_api_key,
       CASE WHEN d.radius_secret IS NOT NULL THEN 'device' WHEN i.radius_secret IS NOT NULL THEN 'isp' END
         AS radius_secret_of,
       coalesce(s.state, 'unknown') AS state, s.seen_at, d.created_at, d.updated_at
  FROM control.devices AS d
  JOIN control.isps AS i ON i.id = d.isp_id
  LEFT JOIN control.device_status AS s ON s.isp_id = d.isp_id AND s.device_id = d.id
 WHERE d.isp_id = $1
   AND d.id = $2
"""
LIST: Final = """
SELECT d.id, d.isp_id, d.username, d.device_name, d.device_ip, d.device_model, d.location, d.notes, d.radius_sources,
       d.nas_identifier, d.coa_port, d.api_port, d.ssh_port, d.use_tls, d.tls_fingerprint, d.ssh_host_key,
       d.require_message_authenticator, d.message_authenticator_seen_at, d.limit_proxy_state, d.swap_octets,
       d.proved_at, d.password IS NOT NULL AS has_password, d.api_key IS NOT NULL AS has_api_key,
       CASE WHEN d.radius_secret IS NOT NULL THEN 'device' WHEN i.radius_secret IS NOT NULL THEN 'isp' END
         AS radius_secret_of,
       coalesce(s.state, 'unknown') AS state, s.seen_at, d.created_at, d.updated_at
  FROM control.devices AS d
  JOIN control.isps AS i ON i.id = d.isp_id
  LEFT JOIN control.device_status AS s ON s.isp_id = d.isp_id AND s.device_id = d.id
 WHERE ($1::int IS NULL OR d.isp_id = $1)
   AND d.id > $2
   AND ($3::text IS NULL OR coalesce(s.state, 'unknown') = $3)
   AND ($4::text IS NULL OR d.location = $4)
   AND ($5::text IS NULL
        OR strpos(lower(concat_ws(' ', d.device_name, host(d.device_ip), d.device_model, d.location, d.notes)),
                  lower($5)) > 0)
 ORDER BY d.id
 LIMIT $6
"""
# The first is what workers read, so that the change of a note wakes nobody.
UPDATE_RADIUS: Final = """
UPDATE control.devices AS d
   SET device_name = new.device_name, device_ip = new.device_ip, radius_sources = new.radius_sources,
       radius_secret = new.radius_secret, nas_identifier = new.nas_identifier, coa_port = new.coa_port,
       require_message_authenticator = new.require_message_authenticator, limit_proxy_state = new.limit_proxy_state,
       swap_octets = new.swap_octets
  FROM control.devices AS old, jsonb_populate_record(old, $3) AS new
 WHERE old.isp_id = $1 AND old.id = $2 AND d.isp_id = $1 AND d.id = $2
"""
UPDATE_OTHER: Final = """
UPDATE control.devices AS d
   SET username = new.username, password = new.password, api_key = new.api_key, device_model = new.device_model,
       location = new.location, notes = new.notes, api_port = new.api_port, ssh_port = new.ssh_port,
       use_tls = new.use_tls, tls_fingerprint = new.tls_fingerprint, ssh_host_key = new.ssh_host_key
  FROM control.devices AS old, jsonb_populate_record(old, $3) AS new
 WHERE old.isp_id = $1 AND old.id = $2 AND d.isp_id = $1 AND d.id = $2
"""
DELETE: Final = "DELETE FROM control.devices WHERE isp_id = $1 AND id = $2"

RADIUS_FIELDS: Final = frozenset(
    {
        "device_name",
        "device_ip",
        "radius_sources",
        "radius_secret",
        "nas_identifier",
        "coa_port",
        "require_message_authenticator",
        "limit_proxy_state",
        "swap_octets",
    }
)
