"""Service plans as the API reads and writes them. A body is one JSON parameter, cast to columns by PostgreSQL."""

from typing import Final

FIND_ISP: Final = "SELECT isp_id FROM control.service_plans WHERE id = $1"
NEXT_ID: Final = "SELECT nextval('control.service_plans_id_seq')"
LOCK_ISP: Final = "SELECT id FROM control.isps WHERE id = $1 FOR KEY SHARE"
INSERT: Final = """
INSERT INTO control.service_plans
       (id, isp_id, name, description, status, download_bps, upload_bps, burst_download_bps, burst_upload_bps,
        burst_threshold_download_bps, burst_threshold_upload_bps, burst_time_s, priority, min_download_bps,
        min_upload_bps, rate_limit, session_timeout_s, idle_timeout_s, interim_interval_s, framed_pool,
        framed_ipv6_pool, delegated_ipv6_pool, address_list, mikrotik_group, login_hours, simultaneous_use,
        simultaneous_use_mode, expired_action, walled_garden_address_list, walled_garden_pool,
        walled_garden_download_bps, walled_garden_upload_bps, walled_garden_rate_limit, data_quota_octets, time_quota_s,
        quota_period, quota_anchor_day, quota_direction, quota_action, throttle_download_bps, throttle_upload_bps,
        throttle_rate_limit, price, currency, billing_period)
SELECT $2, $1, new.name, new.description, new.status, new.download_bps, new.upload_bps, new.burst_download_bps,
       new.burst_upload_bps, new.burst_threshold_download_bps, new.burst_threshold_upload_bps, new.burst_time_s,
       new.priority, new.min_download_bps, new.min_upload_bps, new.rate_limit, new.session_timeout_s,
       new.idle_timeout_s, new.interim_interval_s, new.framed_pool, new.framed_ipv6_pool, new.delegated_ipv6_pool,
       new.address_list, new.mikrotik_group, new.login_hours, new.simultaneous_use, new.simultaneous_use_mode,
       new.expired_action, new.walled_garden_address_list, new.walled_garden_pool, new.walled_garden_download_bps,
       new.walled_garden_upload_bps, new.walled_garden_rate_limit, new.data_quota_octets, new.time_quota_s,
       new.quota_period, new.quota_anchor_day, new.quota_direction, new.quota_action, new.throttle_download_bps,
       new.throttle_upload_bps, new.throttle_rate_limit, new.price, new.currency, new.billing_period
  FROM jsonb_populate_record(NULL::control.service_plans, $3) AS new
"""
LOCK: Final = "SELECT id FROM control.service_plans WHERE isp_id = $1 AND id = $2 FOR NO KEY UPDATE"
FIND: Final = """
SELECT p.id, p.isp_id, p.name, p.description, p.status, p.download_bps, p.upload_bps, p.burst_download_bps,
       p.burst_upload_bps, p.burst_threshold_download_bps, p.burst_threshold_upload_bps, p.burst_time_s, p.priority,
       p.min_download_bps, p.min_upload_bps, p.rate_limit, p.session_timeout_s, p.idle_timeout_s, p.interim_interval_s,
       p.framed_pool, p.framed_ipv6_pool, p.delegated_ipv6_pool, p.address_list, p.mikrotik_group, p.login_hours,
       p.simultaneous_use, p.simultaneous_use_mode, p.expired_action, p.walled_garden_address_list,
       p.walled_garden_pool, p.walled_garden_download_bps, p.walled_garden_upload_bps, p.walled_garden_rate_limit,
       p.data_quota_octets, p.time_quota_s, p.quota_period, p.quota_anchor_day, p.quota_direction, p.quota_action,
       p.throttle_download_bps, p.throttle_upload_bps, p.throttle_rate_limit, p.price, p.currency, p.billing_period,
       p.created_at, p.updated_at,
       (SELECT count(*) FROM control.customers AS c WHERE c.isp_id = p.isp_id AND c.service_plan_id = p.id) AS customers
  FROM control.service_plans AS p
 WHERE p.isp_id = $1
   AND p.id = $2
"""
LIST: Final = """
SELECT p.id, p.isp_id, p.name, p.description, p.status, p.download_bps, p.upload_bps, p.burst_download_bps,
       p.burst_upload_bps, p.burst_threshold_download_bps, p.burst_threshold_upload_bps, p.burst_time_s, p.priority,
       p.min_download_bps, p.min_upload_bps, p.rate_limit, p.session_timeout_s, p.idle_timeout_s, p.interim_interval_s,
       p.framed_pool, p.framed_ipv6_pool, p.delegated_ipv6_pool, p.address_list, p.mikrotik_group, p.login_hours,
       p.simultaneous_use, p.simultaneous_use_mode, p.expired_action, p.walled_garden_address_list,
       p.walled_garden_pool, p.walled_garden_download_bps, p.walled_garden_upload_bps, p.walled_garden_rate_limit,
       p.data_quota_octets, p.time_quota_s, p.quota_period, p.quota_anchor_day, p.quota_direction, p.quota_action,
       p.throttle_download_bps, p.throttle_upload_bps, p.throttle_rate_limit, p.price, p.currency, p.billing_period,
       p.created_at, p.updated_at,
       (SELECT count(*) FROM control.customers AS c WHERE c.isp_id = p.isp_id AND c.service_plan_id = p.id) AS customers
  FROM control.service_plans AS p
 WHERE ($1::int IS NULL OR p.isp_id = $1)
   AND p.id > $2
   AND ($3::text IS NULL OR p.status = $3)
   AND ($4::text IS NULL OR strpos(lower(concat_ws(' ', p.name, p.description)), lower($4)) > 0)
 ORDER BY p.id
 LIMIT $5
"""
UPDATE: Final = """
UPDATE control.service_plans AS p
   SET name = new.name, description = new.description, status = new.status, download_bps = new.download_bps, upload_bps
       = new.upload_bps, burst_download_bps = new.burst_download_bps, burst_upload_bps = new.burst_upload_bps,
       burst_threshold_download_bps = new.burst_threshold_download_bps, burst_threshold_upload_bps =
       new.burst_threshold_upload_bps, burst_time_s = new.burst_time_s, priority = new.priority, min_download_bps =
       new.min_download_bps, min_upload_bps = new.min_upload_bps, rate_limit = new.rate_limit, session_timeout_s =
       new.session_timeout_s, idle_timeout_s = new.idle_timeout_s, interim_interval_s = new.interim_interval_s,
       framed_pool = new.framed_pool, framed_ipv6_pool = new.framed_ipv6_pool, delegated_ipv6_pool =
       new.delegated_ipv6_pool, address_list = new.address_list, mikrotik_group = new.mikrotik_group, login_hours =
       new.login_hours, simultaneous_use = new.simultaneous_use, simultaneous_use_mode = new.simultaneous_use_mode,
       expired_action = new.expired_action, walled_garden_address_list = new.walled_garden_address_list,
       walled_garden_pool = new.walled_garden_pool, walled_garden_download_bps = new.walled_garden_download_bps,
       walled_garden_upload_bps = new.walled_garden_upload_bps, walled_garden_rate_limit = new.walled_garden_rate_limit,
       data_quota_octets = new.data_quota_octets, time_quota_s = new.time_quota_s, quota_period = new.quota_period,
       quota_anchor_day = new.quota_anchor_day, quota_direction = new.quota_direction, quota_action = new.quota_action,
       throttle_download_bps = new.throttle_download_bps, throttle_upload_bps = new.throttle_upload_bps,
       throttle_rate_limit = new.throttle_rate_limit, price = new.price, currency = new.currency, billing_period =
       new.billing_period
  FROM control.service_plans AS old, jsonb_populate_record(old, $3) AS new
 WHERE old.isp_id = $1 AND old.id = $2 AND p.isp_id = $1 AND p.id = $2
"""
DELETE: Final = "DELETE FROM control.service_plans WHERE isp_id = $1 AND id = $2"
