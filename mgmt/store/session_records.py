"""Sessions and logins as staff look at them. What a Stop has closed is in the history at once, and shown from there."""

from typing import Final

LIST_LIVE: Final = """
SELECT id, isp_id, nas_id AS device_id, customer_id, username, acct_session_id, started_at, updated_at, stopped_at,
       session_time, input_octets, output_octets, framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix,
       calling_station_id, called_station_id, nas_port_id, terminate_cause, closed_by, state
  FROM accounting.sessions
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND ($2::timestamptz IS NULL OR (started_at, id) < ($2, $3::uuid))
   AND ($4::text IS NULL OR acct_session_id = $4)
   AND ($5::text IS NULL OR username_key = $5)
   AND ($6::bigint IS NULL OR customer_id = $6)
   AND ($7::bigint IS NULL OR nas_id = $7)
   AND ($8::timestamptz IS NULL OR started_at < $8)
   AND state <> 'closed'
 ORDER BY started_at DESC, id DESC
 LIMIT $9
"""
LIST_CLOSED: Final = """
SELECT id, isp_id, nas_id AS device_id, customer_id, username, acct_session_id, started_at, updated_at, stopped_at,
       session_time, input_octets, output_octets, framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix,
       calling_station_id, called_station_id, nas_port_id, terminate_cause, closed_by, 'closed' AS state
  FROM accounting.sessions
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND ($2::timestamptz IS NULL OR (started_at, id) < ($2, $3::uuid))
   AND ($4::text IS NULL OR acct_session_id = $4)
   AND ($5::text IS NULL OR username_key = $5)
   AND ($6::bigint IS NULL OR customer_id = $6)
   AND ($7::bigint IS NULL OR nas_id = $7)
   AND ($8::timestamptz IS NULL OR started_at < $8)
   AND state = 'closed'
   AND closed_by <> 'stop'
   AND stopped_at >= $10
 UNION ALL
SELECT id, isp_id, nas_id AS device_id, customer_id, username, acct_session_id, started_at, updated_at, stopped_at,
       session_time, input_octets, output_octets, framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix,
       calling_station_id, called_station_id, nas_port_id, terminate_cause, closed_by, 'closed' AS state
  FROM accounting.session_history
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND ($2::timestamptz IS NULL OR (started_at, id) < ($2, $3::uuid))
   AND ($4::text IS NULL OR acct_session_id = $4)
   AND ($5::text IS NULL OR username_key = $5)
   AND ($6::bigint IS NULL OR customer_id = $6)
   AND ($7::bigint IS NULL OR nas_id = $7)
   AND ($8::timestamptz IS NULL OR started_at < $8)
   AND stopped_at >= $10
 ORDER BY started_at DESC, id DESC
 LIMIT $9
"""
FIND_LIVE: Final = """
SELECT id, isp_id, nas_id AS device_id, customer_id, username, acct_session_id, started_at, updated_at, stopped_at,
       session_time, input_octets, output_octets, framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix,
       calling_station_id, called_station_id, nas_port_id, terminate_cause, closed_by, state
  FROM accounting.sessions
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND id = $2
 ORDER BY started_at DESC
 LIMIT 1
"""
FIND_CLOSED: Final = """
SELECT id, isp_id, nas_id AS device_id, customer_id, username, acct_session_id, started_at, updated_at, stopped_at,
       session_time, input_octets, output_octets, framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix,
       calling_station_id, called_station_id, nas_port_id, terminate_cause, closed_by, 'closed' AS state
  FROM accounting.session_history
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND id = $2
 ORDER BY started_at DESC
 LIMIT 1
"""
LIST_REJECTS: Final = """
SELECT at, isp_id, nas_id AS device_id, customer_id, username, reason, method, calling_station_id, called_station_id,
       nas_port_id
  FROM accounting.auth_log
 WHERE ($1::int IS NULL OR isp_id = $1)
   AND outcome = 'reject'
   AND ($2::timestamptz IS NULL OR (at, isp_id, nas_id, username) < ($2, $3::int, $4::bigint, $5::text COLLATE "C"))
   AND ($6::text IS NULL OR username = $6)
   AND ($7::text IS NULL OR reason = $7)
   AND ($8::bigint IS NULL OR customer_id = $8)
   AND ($9::bigint IS NULL OR nas_id = $9)
   AND ($10::timestamptz IS NULL OR at >= $10)
   AND ($11::timestamptz IS NULL OR at < $11)
 ORDER BY at DESC, isp_id DESC, nas_id DESC, username DESC
 LIMIT $12
"""
