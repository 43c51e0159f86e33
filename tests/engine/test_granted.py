"""What a session's Start is noted to have been given, beside the Access-Accept that gave it."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from radiuscore.aaa.changes import CustomerChange, PlanChange, PoolChange
from radiuscore.aaa.pools import AddressPool
from radiuscore.aaa.records import Customer, CustomerExtras, CustomerStatus, QuotaAction, RateLimit
from radiuscore.wire.packet import encode_attributes
from radiuscore.wire.rfc import FRAMED_POOL
from tests.protocol.asks import pap, report
from tests.protocol.bench import NOW, PLANS, Bench, customer
from tests.protocol.oracle import CLASS, attribute

MESSAGE_AUTHENTICATOR, REPLY_MESSAGE, CALLING_STATION_ID = 80, 18, 31
SLOW = RateLimit(download_bps=1_000_000, upload_bps=1_000_000)


def granted(bench: Bench, *more: bytes, status: int = 1) -> bytes | None:
    bench.acknowledged(report(status, *more))
    return bench.recorded.events[-1].granted


@pytest.mark.parametrize(
    "who",
    [
        customer("anna"),
        customer("anna", expires_at=NOW + 86_400),
        customer("anna", extras=CustomerExtras(rate_limit=SLOW)),
        customer("anna", extras=CustomerExtras(framed_ip_address=IPv4Address("10.9.8.7"), address_list="vip")),
        customer("anna", extras=CustomerExtras(quota_state=QuotaAction.THROTTLE)),
        customer("anna", extras=CustomerExtras(quota_state=QuotaAction.WALLED_GARDEN)),
        customer("anna", extras=CustomerExtras(mac_addresses=frozenset({bytes.fromhex("020000000001")}))),
    ],
    ids=["plan", "expires", "own rate", "own address", "throttled", "walled", "locked to a mac"],
)
def test_a_start_tells_what_the_accept_gave(who: Customer) -> None:
    bench = Bench(customers=[who])
    plan = replace(PLANS[0], throttle_rate_limit=SLOW, walled_garden_address_list="unpaid", session_timeout_s=90_000)
    bench.replica.apply(PlanChange(1, plan.id, plan))
    mac = attribute(CALLING_STATION_ID, "02:00:00:00:00:01")
    accept = bench.login(pap("anna", "arctangent", mac))
    said = [pair for pair in accept.attributes if pair[0] not in (CLASS, MESSAGE_AUTHENTICATOR)]
    assert said
    assert granted(bench, mac) == encode_attributes(said)


def test_only_a_start_tells(bench: Bench) -> None:
    assert granted(bench)
    assert granted(bench, status=3) is None
    assert granted(bench, status=2) is None


def test_a_central_pool_is_told_by_its_name(bench: Bench) -> None:
    plan = replace(PLANS[0], framed_pool="homes")
    bench.replica.apply(PlanChange(1, plan.id, plan))
    named = granted(bench)
    pool = AddressPool(1, 1, "homes", 32, ((IPv4Address("10.0.0.2"), IPv4Address("10.0.0.9")),))
    bench.replica.apply(PoolChange(1, 1, pool))
    assert named is not None
    assert encode_attributes([FRAMED_POOL("homes")]) in named
    assert granted(bench) == named


def test_of_a_customer_who_would_be_rejected_nothing_is_known(bench: Bench) -> None:
    bench.replica.apply(CustomerChange(1, "anna", replace(customer("anna"), status=CustomerStatus.SUSPENDED)))
    assert granted(bench) is None
