"""Isp as scripts build it: random keys, the plan's limits."""

import hashlib
import re

import pytest

from mgmt.models import Isp, Limits, api_key_hash


def isp(**fields: object) -> Isp:
    return Isp("Test ISP", "Test ISP Company", "isp@example.com", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("plan", "limits"), [("basic", (10, 100)), ("pro", (20, 200)), ("enterprise", (50, 500))])
def test_a_plan_has_its_limits(plan: str, limits: tuple[int, int]) -> None:
    assert isp(subscription_plan=plan).limits == limits


def test_a_limit_that_is_given_is_kept_even_if_zero() -> None:
    assert isp(subscription_plan="pro", max_devices=0).limits == Limits(0, 200)
    assert isp(max_customers=7).limits == Limits(10, 7)


def test_keys_are_random_and_not_shown() -> None:
    one, other = isp(), isp()
    keys = {one.generate_api_key(), other.generate_api_key(), one.generate_api_key()}
    secrets = {one.generate_radius_secret(), other.generate_radius_secret(), one.generate_radius_secret()}

    assert (len(keys), len(secrets)) == (3, 3)
    assert one.api_key in keys
    assert one.radius_secret in secrets
    assert all(re.fullmatch(r"rcisp_[A-Za-z0-9_-]{43}", key) for key in keys)
    assert all(re.fullmatch(r"[0-9a-f]{32}", secret) for secret in secrets)
    assert str(one.api_key) not in repr(one)
    assert str(one.radius_secret) not in repr(one)


def test_the_hash_of_a_key_is_its_sha256() -> None:
    assert api_key_hash("rcisp_x") == hashlib.sha256(b"rcisp_x").hexdigest()
