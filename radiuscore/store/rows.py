"""The SQL that reads a replica's records, all of them or by key, and the functions that make a record of a row.

Columns have the names of the records' fields. Secrets are opened here. A row whose secret does not open is left out
and named in the log: its owner cannot log in, everybody else can, and nobody logs in without a password that has one.
"""

import logging
from datetime import UTC, tzinfo
from ipaddress import IPv4Address, ip_address
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from radiuscore.aaa.names import parse_mac
from radiuscore.aaa.pools import AddressPool
from radiuscore.aaa.records import (
    Customer,
    CustomerExtras,
    CustomerStatus,
    ExpiredAction,
    Isp,
    MessageAuthenticatorPolicy,
    Nas,
    QuotaAction,
    QuotaDirection,
    QuotaPeriod,
    RateLimit,
    ServicePlan,
    SimultaneousUseMode,
)
from radiuscore.store.sealing import CannotOpen, Keyring

Row: TypeAlias = Any  # asyncpg.Record: its values are what the statement says

_log: Final = logging.getLogger("radiuscore.store")
_STATUS: Final = {str(status): status for status in CustomerStatus}

_ISP: Final = """
SELECT i.id, i.name, i.status = 'active' AS active, i.time_zone AS zone
  FROM control.isps AS i
"""
LOAD_ISPS: Final = _ISP
FIND_ISPS: Final = _ISP + " WHERE i.id = ANY ($1::int[])"

_NAS: Final = """
SELECT d.isp_id, d.id, d.device_name AS name,
       CASE d.radius_sources WHEN '{}' THEN ARRAY[d.device_ip::cidr] ELSE d.radius_sources END AS sources,
       d.radius_secret AS secret, d.outgoing_radius_secret AS outgoing_secret,
       i.radius_secret AS isp_secret, i.outgoing_radius_secret AS isp_outgoing_secret,
       d.nas_identifier, d.require_message_authenticator,
       d.message_authenticator_seen_at IS NOT NULL AS message_authenticator_seen,
       d.limit_proxy_state, d.swap_octets, d.coa_port, extract(epoch FROM d.proved_at)::float8 AS proved_at,
       nullif(d.address_proofs, '{}') AS address_proofs
  FROM control.devices AS d
  JOIN control.isps AS i ON i.id = d.isp_id
"""
LOAD_NASES: Final = _NAS
FIND_NASES: Final = (
    _NAS
    + "  JOIN unnest($1::int[], $2::bigint[]) AS wanted (isp_id, id) ON (d.isp_id, d.id) = (wanted.isp_id, wanted.id)"
)
FIND_NASES_OF_ISPS: Final = _NAS + " WHERE d.isp_id = ANY ($1::int[])"

_PLAN: Final = """
SELECT p.isp_id, p.id, p.name,
       p.download_bps, p.upload_bps, p.burst_download_bps, p.burst_upload_bps,
       p.burst_threshold_download_bps, p.burst_threshold_upload_bps, p.burst_time_s, p.priority,
       p.min_download_bps, p.min_upload_bps, p.rate_limit AS raw,
       p.session_timeout_s, p.idle_timeout_s, p.interim_interval_s,
       p.framed_pool, p.framed_ipv6_pool, p.delegated_ipv6_pool, p.address_list, p.mikrotik_group,
       p.login_hours, p.simultaneous_use, p.simultaneous_use_mode,
       p.expired_action, p.walled_garden_address_list, p.walled_garden_pool,
       p.walled_garden_download_bps, p.walled_garden_upload_bps, p.walled_garden_rate_limit,
       p.data_quota_octets, p.time_quota_s, p.quota_period, p.quota_anchor_day, p.quota_direction, p.quota_action,
       p.throttle_download_bps, p.throttle_upload_bps, p.throttle_rate_limit
  FROM control.service_plans AS p
"""
LOAD_PLANS: Final = _PLAN
FIND_PLANS: Final = _PLAN + "  JOIN unnest($1::int[], $2::bigint[]) AS wanted (isp_id, id) USING (isp_id, id)"

_POOL: Final = """
SELECT p.isp_id, p.id, p.name, p.prefix_length,
       (SELECT array_agg(lower(r) ORDER BY r) FROM unnest(p.ranges) AS r) AS firsts,
       (SELECT array_agg(upper(r) ORDER BY r) FROM unnest(p.ranges) AS r) AS lasts
  FROM control.address_pools AS p
"""
LOAD_POOLS: Final = _POOL
FIND_POOLS: Final = _POOL + "  JOIN unnest($1::int[], $2::bigint[]) AS wanted (isp_id, id) USING (isp_id, id)"

# What few customers have stands last and is NULL for the others, so that one comparison passes over it.
_CUSTOMER: Final = """
SELECT c.isp_id, c.id, c.username, c.username_key, c.password, c.service_plan_id AS plan_id, c.status,
       extract(epoch FROM c.expires_at)::float8 AS expires_at,
       c.framed_ip_address, c.framed_ipv6_prefix, c.delegated_ipv6_prefix,
       nullif(c.framed_routes, '{}') AS framed_routes, nullif(c.mac_addresses, '{}') AS mac_addresses,
       (SELECT array_agg(a.device_id) FROM control.customer_devices AS a
         WHERE a.isp_id = c.isp_id AND a.customer_id = c.id) AS nas_ids,
       c.simultaneous_use, c.download_bps, c.upload_bps, c.rate_limit AS raw, c.address_list,
       c.quota_state, extract(epoch FROM c.quota_until)::float8 AS quota_until
  FROM control.customers AS c
"""
LOAD_CUSTOMERS: Final = _CUSTOMER
FIND_CUSTOMERS: Final = (
    _CUSTOMER + "  JOIN unnest($1::int[], $2::text[]) AS wanted (isp_id, username_key) USING (isp_id, username_key)"
)
_PLAIN_CUSTOMER: Final = 8  # columns; the rest are extras
_NO_EXTRAS: Final = (None,) * 13

_RATE_FIELDS: Final = (
    "download_bps",
    "upload_bps",
    "burst_download_bps",
    "burst_upload_bps",
    "burst_threshold_download_bps",
    "burst_threshold_upload_bps",
    "burst_time_s",
    "priority",
    "min_download_bps",
    "min_upload_bps",
    "raw",
)
_PLAN_FIELDS: Final = (
    "id",
    "isp_id",
    "name",
    "session_timeout_s",
    "idle_timeout_s",
    "interim_interval_s",
    "framed_pool",
    "framed_ipv6_pool",
    "delegated_ipv6_pool",
    "address_list",
    "mikrotik_group",
    "simultaneous_use",
    "walled_garden_address_list",
    "walled_garden_pool",
    "data_quota_octets",
    "time_quota_s",
    "quota_anchor_day",
)


def isp_of(row: Row) -> Isp:
    """Make the record of an ISP. A zone that Python does not know is UTC, and the log says so."""
    zone: tzinfo = UTC
    if row["zone"] != "UTC":
        try:
            zone = ZoneInfo(row["zone"])
        except (ZoneInfoNotFoundError, ValueError):
            _log.error("ISP %d: time zone %r is not known here, UTC is used: install tzdata", row["id"], row["zone"])
    return Isp(row["id"], row["name"], row["active"], zone)


def nas_of(row: Row, keyring: Keyring) -> Nas | None:
    """Make the record of a device; ``None`` if it has no secret, or one that does not open."""
    try:
        secret = _open_nas_secret(row, keyring, "secret", "radius_secret")
        outgoing = _open_nas_secret(row, keyring, "outgoing_secret", "outgoing_radius_secret")
    except CannotOpen as error:
        _log.error("ISP %d, device %d is left out: %s", row["isp_id"], row["id"], error)
        return None
    if not secret:
        return None
    return Nas(
        sources=row["sources"],
        secret=secret,
        isp_id=row["isp_id"],
        id=row["id"],
        name=row["name"],
        outgoing_secret=outgoing or None,
        nas_identifier=row["nas_identifier"],
        require_message_authenticator=MessageAuthenticatorPolicy(row["require_message_authenticator"]),
        message_authenticator_seen=row["message_authenticator_seen"],
        limit_proxy_state=row["limit_proxy_state"],
        swap_octets=row["swap_octets"],
        coa_port=row["coa_port"],
        proved_at=row["proved_at"],
        address_proofs=tuple((ip_address(text).packed, at) for text, at in (row["address_proofs"] or {}).items()),
    )


def plan_of(row: Row) -> ServicePlan:
    """Make the record of a service plan."""
    return ServicePlan(
        **{name: row[name] for name in _PLAN_FIELDS},
        rate_limit=RateLimit(**{name: row[name] for name in _RATE_FIELDS}),
        login_hours=tuple((hours.lower, hours.upper) for hours in row["login_hours"]),
        simultaneous_use_mode=SimultaneousUseMode(row["simultaneous_use_mode"]),
        expired_action=ExpiredAction(row["expired_action"]),
        walled_garden_rate_limit=_rate_limit(
            row["walled_garden_download_bps"], row["walled_garden_upload_bps"], row["walled_garden_rate_limit"]
        ),
        quota_period=QuotaPeriod(row["quota_period"]),
        quota_direction=QuotaDirection(row["quota_direction"]),
        quota_action=QuotaAction(row["quota_action"]),
        throttle_rate_limit=_rate_limit(
            row["throttle_download_bps"], row["throttle_upload_bps"], row["throttle_rate_limit"]
        ),
    )


def pool_of(row: Row) -> AddressPool:
    """Make the record of a central pool."""
    ranges = tuple(zip(row["firsts"], row["lasts"], strict=True))
    return AddressPool(row["id"], row["isp_id"], row["name"], row["prefix_length"], ranges)


def customer_of(row: Row, keyring: Keyring) -> Customer | None:
    """Make the record of a customer; ``None`` if his password does not open. About 8 microseconds."""
    isp_id, customer_id, username, key, password, plan_id, status, expires_at = row[:_PLAIN_CUSTOMER]
    if password is not None:
        try:
            password = keyring.open(password, table="customers", row=customer_id, column="password", isp_id=isp_id)
        except CannotOpen as error:
            _log.error("ISP %d, customer %d is left out: %s", isp_id, customer_id, error)
            return None
    return Customer(
        customer_id,
        isp_id,
        username,
        username if key == username else key,  # one string instead of two for most
        password,
        plan_id,
        _STATUS[status],
        expires_at,
        None if row[_PLAIN_CUSTOMER:] == _NO_EXTRAS else _extras(row),
    )


def _extras(row: Row) -> CustomerExtras:
    framed_ip = row["framed_ip_address"]
    return CustomerExtras(
        framed_ip_address=None if framed_ip is None else IPv4Address(framed_ip),
        framed_ipv6_prefix=row["framed_ipv6_prefix"],
        delegated_ipv6_prefix=row["delegated_ipv6_prefix"],
        framed_routes=tuple(row["framed_routes"] or ()),
        mac_addresses=frozenset(mac for text in row["mac_addresses"] or () if (mac := parse_mac(text)) is not None),
        nas_ids=frozenset(row["nas_ids"] or ()),
        simultaneous_use=row["simultaneous_use"],
        rate_limit=_rate_limit(row["download_bps"], row["upload_bps"], row["raw"]),
        address_list=row["address_list"],
        quota_state=None if row["quota_state"] is None else QuotaAction(row["quota_state"]),
        quota_until=row["quota_until"],
    )


def _rate_limit(download_bps: int | None, upload_bps: int | None, raw: str | None) -> RateLimit | None:
    if download_bps is None and upload_bps is None and raw is None:
        return None
    return RateLimit(download_bps=download_bps or 0, upload_bps=upload_bps or 0, raw=raw)


def _open_nas_secret(row: Row, keyring: Keyring, name: str, column: str) -> bytes | None:
    """Open the device's secret, or its ISP's where the device has none of its own."""
    isp_id = row["isp_id"]
    if (sealed := row[name]) is not None:
        return keyring.open(sealed, table="devices", row=row["id"], column=column, isp_id=isp_id)
    if row["secret"] is None and (sealed := row[f"isp_{name}"]) is not None:
        return keyring.open(sealed, table="isps", row=isp_id, column=column, isp_id=isp_id)
    return None
