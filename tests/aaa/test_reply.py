"""What an Access-Accept carries: the router's view of a speed, and whose value wins."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.records import CustomerExtras, RateLimit, ServicePlan
from radiuscore.aaa.reply import (
    ReplyParts,
    customer_reply,
    interim_interval,
    plan_reply,
    rate_limit_text,
    session_timeout_attribute,
)
from radiuscore.wire.mikrotik import MIKROTIK_ADDRESS_LIST, MIKROTIK_RATE_LIMIT
from radiuscore.wire.packet import Packet, decode
from radiuscore.wire.rfc import (
    ACCT_INTERIM_INTERVAL,
    DELEGATED_IPV6_PREFIX,
    FRAMED_IP_ADDRESS,
    FRAMED_POOL,
    IDLE_TIMEOUT,
    SESSION_TIMEOUT,
)

M = 1_000_000
PLAN = ServicePlan(
    id=1,
    isp_id=1,
    name="home",
    rate_limit=RateLimit(download_bps=50 * M, upload_bps=10 * M),
    idle_timeout_s=600,
    framed_pool="customers",
    address_list="paid",
    walled_garden_address_list="walled",
    walled_garden_rate_limit=RateLimit(download_bps=M, upload_bps=M),
    throttle_rate_limit=RateLimit(download_bps=2 * M, upload_bps=M),
)


def packet(attributes: bytes) -> Packet:
    return decode(b"\x02\0" + (20 + len(attributes)).to_bytes(2, "big") + bytes(16) + attributes)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (RateLimit(), ""),
        (RateLimit(download_bps=50 * M, upload_bps=10 * M), "10M/50M"),
        (RateLimit(download_bps=1_500_000, upload_bps=512_000), "512k/1500k"),
        (RateLimit(download_bps=1234567), "0/1234567"),
        (RateLimit(raw="64k/64k 256k/256k 128k/128k 10/10"), "64k/64k 256k/256k 128k/128k 10/10"),
        (
            RateLimit(
                download_bps=20 * M,
                upload_bps=10 * M,
                burst_download_bps=40 * M,
                burst_upload_bps=20 * M,
                burst_threshold_download_bps=15 * M,
                burst_threshold_upload_bps=8 * M,
                burst_time_s=16,
            ),
            "10M/20M 20M/40M 8M/15M 16/16",
        ),
        (
            RateLimit(download_bps=20 * M, upload_bps=10 * M, burst_download_bps=40 * M, burst_upload_bps=20 * M),
            "10M/20M 20M/40M 10M/20M",
        ),
        (
            RateLimit(download_bps=20 * M, upload_bps=10 * M, priority=5, min_download_bps=2 * M, min_upload_bps=M),
            "10M/20M 0/0 0/0 0/0 5 1M/2M",
        ),
    ],
)
def test_writes_a_rate_limit_from_the_routers_view(limit: RateLimit, text: str) -> None:
    assert rate_limit_text(limit) == text


def test_a_plan_replies_once_for_each_standing() -> None:
    reply = plan_reply(PLAN)
    normal = packet(reply.normal_octets)
    assert MIKROTIK_RATE_LIMIT.first(normal) == "10M/50M"
    assert MIKROTIK_ADDRESS_LIST.first(normal) == "paid"
    assert FRAMED_POOL.first(normal) == "customers"
    assert IDLE_TIMEOUT.first(normal) == 600
    throttled = packet(b"".join(reply.throttled))
    assert MIKROTIK_RATE_LIMIT.first(throttled) == "1M/2M"
    assert MIKROTIK_ADDRESS_LIST.first(throttled) == "paid"
    walled = packet(b"".join(reply.walled))
    assert MIKROTIK_RATE_LIMIT.first(walled) == "1M/1M"
    assert MIKROTIK_ADDRESS_LIST.first(walled) == "walled"


def test_a_customers_own_value_replaces_the_plans_of_the_same_part() -> None:
    extras = CustomerExtras(
        framed_ip_address=IPv4Address("10.1.2.3"),
        delegated_ipv6_prefix=IPv6Network("2001:db8:7::/48"),
        rate_limit=RateLimit(download_bps=100 * M, upload_bps=100 * M),
    )
    reply = packet(customer_reply(extras).over(plan_reply(PLAN).normal))
    assert list(MIKROTIK_RATE_LIMIT.all(reply)) == ["100M/100M"]
    assert FRAMED_IP_ADDRESS.first(reply) == IPv4Address("10.1.2.3")
    assert FRAMED_POOL.first(reply) is None
    assert MIKROTIK_ADDRESS_LIST.first(reply) == "paid"
    assert DELEGATED_IPV6_PREFIX.first(reply) == IPv6Network("2001:db8:7::/48")


@given(st.integers(1, 86_400), st.integers(0, 2**63))
def test_the_interim_interval_stays_within_a_tenth_and_over_a_minute(interval_s: int, customer_id: int) -> None:
    told = interim_interval(interval_s, customer_id)
    reply = plan_reply(replace(PLAN, interim_interval_s=interval_s))
    assert told >= 60
    assert told == 60 or abs(told - interval_s) <= interval_s / 10 + 1
    assert ACCT_INTERIM_INTERVAL.first(packet(reply.interim_of(customer_id))) == told


def test_interim_intervals_of_neighbours_are_spread() -> None:
    assert len({interim_interval(300, customer_id) for customer_id in range(1000)}) > 50


@pytest.mark.parametrize(("seconds", "told"), [(-5, 1), (0, 1), (3600, 3600), (2**40, 2**32 - 1)])
def test_a_session_timeout_is_never_none_by_accident(seconds: int, told: int) -> None:
    assert SESSION_TIMEOUT.first(packet(session_timeout_attribute(seconds))) == told


def test_what_no_attribute_can_hold_is_left_out_and_the_rest_is_sent() -> None:
    """One ISP's absurd record must not stop the others' from loading."""
    long = "x" * 300
    extras = CustomerExtras(framed_routes=("10.1.0.0/16", long, ""), address_list=long, rate_limit=RateLimit(raw=long))
    assert customer_reply(extras) == ReplyParts(rest=b"\x16\x0d10.1.0.0/16")
    absurd = replace(PLAN, framed_pool=long, mikrotik_group=long, idle_timeout_s=2**40, rate_limit=RateLimit(raw=long))
    assert plan_reply(absurd).normal == ReplyParts(address_list=plan_reply(PLAN).normal.address_list)
