"""Logging in: passwords, tokens, one-time passwords, and what happens to those who guess."""

import asyncio
import base64
import json
import statistics
from collections.abc import Callable
from time import perf_counter, time
from typing import Any

import jwt
import pyotp
import pytest

from mgmt.auth import throttle
from mgmt.auth.hashing import MAX_WAITING, PasswordDesk
from mgmt.auth.tokens import AUDIENCE, ISSUER
from mgmt.problems import Problem
from tests.conftest import Db
from tests.mgmt.api.conftest import JWT_SECRET_KEY, PASSWORD, Api, House, Reply

pytestmark = pytest.mark.postgres

ME = "/api/auth/me"


async def tokens(api: Api, email: str) -> dict[str, Any]:
    reply = await api.post("/api/auth/login", {"email": email, "password": PASSWORD})
    assert reply.status == 200, reply.text
    answer: dict[str, Any] = reply.json
    return answer


async def test_a_login_gives_two_tokens(api: Api, admin_user: str) -> None:
    given = await tokens(api, admin_user.upper())

    assert set(given) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 900)
    me = await api.bearing(given["access_token"]).get(ME)
    assert (me.json["email"], me.json["role"], me.json["isp_id"]) == (admin_user, "admin", None)


async def test_a_wrong_password_and_an_unknown_email_are_one_answer(api: Api, admin_user: str) -> None:
    wrong = await api.post("/api/auth/login", {"email": admin_user, "password": "wrong"})
    unknown = await api.post("/api/auth/login", {"email": "nobody@example.com", "password": "wrong"})

    assert (wrong.status, wrong.code) == (401, "bad_credentials")
    assert wrong.text == unknown.text


async def test_an_unknown_email_takes_as_long_as_a_wrong_password(api: Api, admin_user: str, db: Db) -> None:
    took: dict[str, list[float]] = {admin_user: [], "nobody@example.com": []}
    for _ in range(12):
        await db.execute("DELETE FROM control.login_throttle")
        for email, times in took.items():
            begun = perf_counter()
            assert (await api.post("/api/auth/login", {"email": email, "password": "wrong"})).status == 401
            times.append(perf_counter() - begun)
    known, unknown = (statistics.median(times) for times in took.values())
    assert abs(known - unknown) / known < 0.25  # a core shared with other tests; without the hash it is nine tenths


def claims(user_id: int, **other: Any) -> dict[str, Any]:
    now = int(time())
    plain = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(user_id), "iat": now, "nbf": now, "exp": now + 900}
    return {
        name: value for name, value in (plain | {"jti": "x", "sid": "x", "ver": 0} | other).items() if value is not None
    }


def signed(**other: Any) -> Callable[[int], str]:
    return lambda user_id: jwt.encode(claims(user_id, **other), JWT_SECRET_KEY, algorithm="HS256")


def unsigned(header: dict[str, str]) -> Callable[[int], str]:
    def make(user_id: int) -> str:
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in (header, claims(user_id))
        ]
        return ".".join([*parts, ""])

    return make


ATTACKS: dict[str, tuple[Callable[[int], str], str]] = {
    "alg none": (unsigned({"alg": "none", "typ": "JWT"}), "token_invalid"),
    "alg None": (unsigned({"alg": "None"}), "token_invalid"),
    "RS256 that is no signature": (unsigned({"alg": "RS256"}), "token_invalid"),
    "HS512": (lambda user: jwt.encode(claims(user), JWT_SECRET_KEY * 2, algorithm="HS512"), "token_invalid"),
    "HS512, right key": (
        lambda user: jwt.encode(claims(user), JWT_SECRET_KEY + " " * 32, algorithm="HS512"),
        "token_invalid",
    ),
    "another key": (lambda user: jwt.encode(claims(user), "x" * 32, algorithm="HS256"), "token_invalid"),
    "another audience": (signed(aud="somebody"), "token_invalid"),
    "several audiences": (signed(aud=[AUDIENCE, "x"]), "token_invalid"),
    "another issuer": (signed(iss="somebody"), "token_invalid"),
    "no audience": (signed(aud=None), "token_invalid"),
    "no expiry": (signed(exp=None), "token_invalid"),
    "no version": (signed(ver=None), "token_invalid"),
    "expired": (signed(iat=1, nbf=1, exp=2), "token_expired"),
    "not yet": (signed(nbf=int(time()) + 3600), "token_invalid"),
    "a year long": (signed(exp=int(time()) + 365 * 86400), "token_invalid"),
    "another version": (signed(ver=1), "token_invalid"),
    "nobody's": (signed(sub="999999999"), "token_invalid"),
    "not a number": (signed(sub="1 OR 1=1"), "token_invalid"),
    "too large a number": (signed(sub=str(2**70)), "token_invalid"),
    "kid is a path": (
        lambda user: jwt.encode(claims(user), "\0" * 32, algorithm="HS256", headers={"kid": "/dev/zero"}),
        "token_invalid",
    ),
    "not a token": (lambda user: "x.y.z", "token_invalid"),
    "too long": (lambda user: "x" * 5000, "token_invalid"),
}


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_token_that_is_not_ours_is_refused(api: Api, admin_user: str, db: Db, attack: str) -> None:
    user_id = await db.fetchval("SELECT id FROM control.users WHERE email = $1", admin_user)
    make, code = ATTACKS[attack]

    assert (await api.bearing(signed()(user_id)).get(ME)).status == 200
    refused = await api.bearing(make(user_id)).get(ME)
    assert (refused.status, refused.code) == (401, code)
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"X-API-Key": "rcisp_wrong"},
        {"X-API-Key": "x" * 5000},
        {"X-API-Key": "' OR 1=1 --"},
    ],
)
async def test_other_headers_open_nothing(api: Api, admin_user: str, headers: dict[str, str]) -> None:
    assert (await api.get(ME, headers=headers)).status == 401


async def test_a_token_and_a_key_together_are_refused(house: House) -> None:
    both = house.isp_admin.using(X_API_Key=house.api_key)

    assert (await both.get("/api/devices")).code == "token_invalid"


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_login(api: Api, admin_user: str) -> None:
    first = await tokens(api, admin_user)
    other_login = await tokens(api, admin_user)

    async def refresh(given: dict[str, Any]) -> Reply:
        return await api.post("/api/auth/refresh", {"refresh_token": given["refresh_token"]})

    second = await refresh(first)
    assert second.status == 200
    assert second.json["refresh_token"] != first["refresh_token"]
    reused = await refresh(first)
    assert (reused.status, reused.code) == (401, "refresh_token_reused")
    assert (await refresh(second.json)).code == "refresh_token_invalid"
    assert (await api.bearing(second.json["access_token"]).get(ME)).code == "token_invalid"
    healed = await refresh(other_login)
    assert healed.status == 200
    assert (await api.bearing(healed.json["access_token"]).get(ME)).status == 200


async def test_one_refresh_token_sent_twice_at_once_succeeds_once(api: Api, admin_user: str) -> None:
    body = {"refresh_token": (await tokens(api, admin_user))["refresh_token"]}

    replies = await asyncio.gather(*[api.post("/api/auth/refresh", body) for _ in range(8)])
    assert sorted(reply.status for reply in replies) == [200] + [401] * 7


async def test_logout_ends_the_tokens_of_this_login(api: Api, admin_user: str) -> None:
    given = await tokens(api, admin_user)
    client = api.bearing(given["access_token"])

    assert (await client.post("/api/auth/logout")).status == 204
    assert (await client.get(ME)).code == "token_invalid"
    assert (await api.post("/api/auth/refresh", {"refresh_token": given["refresh_token"]})).status == 401


async def test_a_password_change_ends_all_logins(api: Api, house: House) -> None:
    email = house.emails["isp_staff"]
    own, other = await tokens(api, email), await tokens(api, email)
    client = api.bearing(own["access_token"])
    body = {"current_password": PASSWORD, "new_password": "a new long password"}

    assert (await client.post("/api/auth/password", body | {"current_password": "wrong"})).code == "bad_credentials"
    assert (await client.post("/api/auth/password", body | {"new_password": "short"})).code == "validation_failed"
    assert (await client.post("/api/auth/password", body)).status == 204
    for given in (own, other):
        assert (await api.bearing(given["access_token"]).get(ME)).status == 401
        assert (await api.post("/api/auth/refresh", {"refresh_token": given["refresh_token"]})).status == 401
    assert (await api.log_in(email, "a new long password")).headers
    by_admin = await house.isp_admin.patch(f"/api/users/{house.user_id}", {"password": "chosen by the admin"})
    assert by_admin.status == 200
    assert (await api.log_in(email, "chosen by the admin")).headers


async def test_a_disabled_user_and_a_suspended_isp_are_out_at_once(api: Api, house: House, root: Api) -> None:
    given = await tokens(api, house.emails["isp_staff"])
    staff = api.bearing(given["access_token"])

    await root.patch(f"/api/isps/{house.isp_id}", {"status": "suspended"})
    for client in (staff, house.program):
        assert (await client.get("/api/devices")).code == "isp_suspended"
    login = await api.post("/api/auth/login", {"email": house.emails["isp_staff"], "password": PASSWORD})
    assert login.code == "isp_suspended"
    await root.patch(f"/api/isps/{house.isp_id}", {"status": "active"})
    assert (await staff.get("/api/devices")).status == 200
    await root.patch(f"/api/users/{house.user_id}", {"status": "disabled"})
    assert (await staff.get("/api/devices")).code == "token_invalid"
    assert (await api.post("/api/auth/refresh", {"refresh_token": given["refresh_token"]})).status == 401
    assert (await api.post("/api/auth/login", {"email": house.emails["isp_staff"], "password": PASSWORD})).status == 401


async def test_an_account_is_throttled_also_by_guesses_at_once(api: Api, admin_user: str) -> None:
    guesses = [api.post("/api/auth/login", {"email": admin_user, "password": f"guess {n}"}) for n in range(20)]

    replies = await asyncio.gather(*guesses)
    assert sorted(reply.status for reply in replies) == [401] * throttle.OF_ACCOUNT + [429] * 10
    right = await api.post("/api/auth/login", {"email": admin_user, "password": PASSWORD})
    assert (right.status, right.code) == (429, "too_many_logins")
    assert 0 < int(right.headers["Retry-After"]) <= throttle.WINDOW_S


async def test_an_address_is_throttled_whatever_accounts_it_tries(api: Api, db: Db) -> None:
    await db.execute("INSERT INTO control.login_throttle VALUES ('address:127.0.0.1', $1, now())", throttle.OF_ADDRESS)

    refused = await api.post("/api/auth/login", {"email": "fresh@example.com", "password": "x"})
    assert refused.code == "too_many_logins"
    await db.execute("UPDATE control.login_throttle SET counted_since = now() - interval '1 hour'")
    assert (
        await api.post("/api/auth/login", {"email": "fresh@example.com", "password": "x"})
    ).code == "bad_credentials"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_an_ipv6_network_is_one_address(one: str, other: str, same: bool) -> None:
    assert (throttle.address_key(one) == throttle.address_key(other)) is same


async def enable_mfa(client: Api) -> tuple[str, list[str]]:
    setup = await client.post("/api/auth/mfa/setup", {"password": PASSWORD})
    assert setup.status == 200, setup.text
    assert setup.json["qr_svg"].startswith("<svg")
    secret = setup.json["secret"]
    enabled = await client.post("/api/auth/mfa/enable", {"otp": pyotp.TOTP(secret).at(int(time()) - 30)})
    assert enabled.status == 200, enabled.text
    return secret, enabled.json["recovery_codes"]


async def test_a_one_time_password_is_asked_for_and_good_once(api: Api, admin_user: str, root: Api, db: Db) -> None:
    secret, _ = await enable_mfa(root)
    login = {"email": admin_user, "password": PASSWORD}
    clock = pyotp.TOTP(secret)

    assert (await api.post("/api/auth/login", login)).code == "otp_required"
    assert (await api.post("/api/auth/login", login | {"password": "wrong"})).code == "bad_credentials"
    assert (await api.post("/api/auth/login", login | {"otp": clock.at(int(time()) - 30)})).code == "bad_otp"
    now = clock.now()
    assert (await api.post("/api/auth/login", login | {"otp": now})).status == 200
    assert (await api.post("/api/auth/login", login | {"otp": now})).code == "bad_otp"
    assert (await api.post("/api/auth/login", login | {"otp": clock.at(int(time()) + 90)})).code == "bad_otp"
    await db.execute("DELETE FROM control.login_throttle")
    ahead = clock.at(int(time()) + 30)
    replies = await asyncio.gather(*[api.post("/api/auth/login", login | {"otp": ahead}) for _ in range(5)])
    assert sorted(reply.status for reply in replies) == [200, 401, 401, 401, 401]
    assert (await root.get(ME)).json["mfa_enabled"] is True
    assert (await root.post("/api/auth/mfa/setup", {"password": PASSWORD})).code == "mfa_enabled"
    stored = await db.fetchval("SELECT totp_secret FROM control.users WHERE email = $1", admin_user)
    assert secret not in stored


async def test_a_recovery_code_is_good_once(api: Api, admin_user: str, root: Api, db: Db) -> None:
    _, codes = await enable_mfa(root)
    login = {"email": admin_user, "password": PASSWORD}

    assert len(set(codes)) == 10
    assert (await api.post("/api/auth/login", login | {"otp": codes[3].upper()})).status == 200
    assert (await api.post("/api/auth/login", login | {"otp": codes[3]})).code == "bad_otp"
    assert not set(codes) & {row["code_hash"] for row in await db.fetch("SELECT code_hash FROM control.recovery_codes")}
    client = api.bearing((await api.post("/api/auth/login", login | {"otp": codes[4]})).json["access_token"])
    assert (await client.post("/api/auth/mfa/disable", {"password": PASSWORD, "otp": codes[5]})).status == 204
    assert (await api.post("/api/auth/login", login)).status == 200


async def test_one_time_passwords_are_throttled(api: Api, admin_user: str, root: Api) -> None:
    await enable_mfa(root)
    login = {"email": admin_user, "password": PASSWORD, "otp": "000000"}

    codes = [(await api.post("/api/auth/login", login)).code for _ in range(throttle.OF_OTP + 1)]
    assert codes == ["bad_otp"] * throttle.OF_OTP + ["too_many_logins"]


async def test_passwords_that_cannot_be_checked_in_time_are_not_queued() -> None:
    desk = PasswordDesk()

    waiting = [asyncio.create_task(desk.hash(PASSWORD)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await desk.check(PASSWORD, None)
    assert refused.value.code == "busy"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not await desk.check(PASSWORD, None)
