"""From nothing to a router's first login over REST alone: an admin, an ISP, a router, a plan, a customer, a session."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from radiuscore.testing import FakeNas
from radiuscore.wire.mikrotik import MIKROTIK_RATE_LIMIT
from tests.end_to_end.conftest import Server, until

Start = Callable[..., Awaitable[Server]]


class Api:
    """One person's requests."""

    def __init__(self, http: aiohttp.ClientSession, server: Server) -> None:
        self._http = http
        self._base = f"http://127.0.0.1:{server.api_port}"
        self.headers: dict[str, str] = {}

    async def ask(self, method: str, path: str, status: int, body: dict[str, Any] | None = None) -> Any:
        async with self._http.request(method, self._base + path, json=body, headers=self.headers) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return await answer.json(content_type=None) if text else None

    async def log_in(self, email: str, password: str) -> None:
        tokens = await self.ask("POST", "/api/auth/login", 200, {"email": email, "password": password})
        self.headers = {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_two_isps_are_set_up_over_rest_and_their_customers_log_in(start_server: Start) -> None:
    server = await start_server()
    created = re.search(r"Administrator (\S+) was created\. .*: (\S+)", server.log.read_text())
    assert created is not None
    async with aiohttp.ClientSession() as http:
        admin = Api(http, server)
        await admin.log_in(created[1], created[2])
        for name in ("north", "south"):
            isp = await admin.ask(
                "POST",
                "/api/isps",
                201,
                {
                    "name": name,
                    "company_name": f"{name} ISP Company",
                    "email": f"{name}@example.com",
                    "subscription_plan": "pro",
                    "max_devices": 20,
                    "max_customers": 200,
                },
            )
            own = Api(http, server)
            own.headers = {"X-API-Key": isp["api_key"]}
            await _set_up(own, name)
            await _log_in_and_out(server, own, isp["radius_secret"], name)


async def _set_up(own: Api, name: str) -> None:
    """What the specification's samples send; both ISPs have the same router address and the same username."""
    await own.ask(
        "POST",
        "/api/devices",
        201,
        {
            "username": "admin",
            "password": "admin123",
            "api_key": "your_api_key",
            "device_name": "Main Router",
            "device_ip": "192.168.1.1",
            "device_model": "RB951G-2HnD",
            "location": "Main Office",
            "notes": "Primary router",
            "radius_sources": ["127.0.0.1/32"],
        },
    )
    plan = await own.ask(
        "POST", "/api/service-plans", 201, {"name": "home", "download_bps": 50_000_000, "upload_bps": 10_000_000}
    )
    await own.ask(
        "POST",
        "/api/customers",
        201,
        {"username": "customer@example.com", "password": f"password of {name}", "service_plan_id": plan["id"]},
    )


async def _log_in_and_out(server: Server, own: Api, secret: str, name: str) -> None:
    async with FakeNas(
        secret, auth=("127.0.0.1", server.auth_port), acct=("127.0.0.1", server.acct_port), source="127.0.0.1"
    ) as nas:
        login = await until(
            lambda: nas.login("customer@example.com", f"password of {name}", method="mschapv2"),
            lambda login: bool(login.accepted),
        )
        assert login.get(MIKROTIK_RATE_LIMIT) == "10M/50M"
        await login.session.start()
        online = await until(lambda: own.ask("GET", "/api/sessions?active=true", 200), lambda page: bool(page["items"]))
        assert [one["username"] for one in online["items"]] == ["customer@example.com"]
        await login.session.stop(input_octets=5_000_000_000, output_octets=7, session_time=60)
        ended = await until(
            lambda: own.ask("GET", f"/api/sessions?acct_session_id={login.session.acct_session_id}", 200),
            lambda page: [one["state"] for one in page["items"]] == ["closed"],
        )
        assert [one["input_octets"] for one in ended["items"]] == [5_000_000_000]
        assert not (await nas.login("customer@example.com", "wrong", method="mschapv2")).accepted
        rejects = await until(
            lambda: own.ask("GET", "/api/rejects", 200),
            lambda page: "bad_credentials" in {one["reason"] for one in page["items"]},
        )
        # unknown_user: he may have logged in before the worker had heard of him
        assert {one["reason"] for one in rejects["items"]} <= {"bad_credentials", "unknown_user"}
        assert {one["username"] for one in rejects["items"]} == {"customer@example.com"}
