"""The API over real HTTP on a real database, an admin, and two ISPs that look alike."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from mgmt.accounts import add_admin
from mgmt.apiconfig import ApiConfig
from mgmt.app import create_app
from mgmt.health import Health
from mgmt.services import Pools, Services, make_services
from radiuscore.settings import RequestRate
from radiuscore.store.pool import ISP_ROLE, SYSTEM_ROLE, open_pool
from radiuscore.store.sealing import Keyring
from tests.conftest import Db

JWT_SECRET_KEY = "0123456789abcdefghijklmnopqrstuv"
PASSWORD = "correct horse battery"
DEVICE = {
    "username": "admin",
    "password": "admin123",
    "api_key": "your_api_key",
    "device_name": "Main Router",
    "device_ip": "192.168.1.1",
    "device_model": "RB951G-2HnD",
    "location": "Main Office",
    "notes": "Primary router",
}
ISP = {
    "name": "New ISP",
    "company_name": "New ISP Company",
    "email": "isp@example.com",
    "subscription_plan": "pro",
    "max_devices": 20,
    "max_customers": 200,
}


@dataclass
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any

    @property
    def code(self) -> str:
        """The code of the problem."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.text
        assert self.json["error"] == self.json["code"]
        assert self.json["status"] == self.status
        return str(self.json["code"])


@dataclass
class Api:
    """A client of the API: what it sends with each request, and what it sent and saw."""

    url: str
    http: aiohttp.ClientSession
    services: Services
    headers: dict[str, str] = field(default_factory=dict)

    def using(self, **headers: str) -> "Api":
        """Return a client that sends these headers as well; underscores are hyphens."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        return Api(self.url, self.http, self.services, self.headers | added)

    def bearing(self, token: str) -> "Api":
        """Return a client with an access token and nothing else."""
        return Api(self.url, self.http, self.services, {"Authorization": f"Bearer {token}"})

    def with_key(self, key: str) -> "Api":
        """Return a client with an API key and nothing else."""
        return Api(self.url, self.http, self.services, {"X-API-Key": key})

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        """Send a request and return the answer."""
        given = {"json": body} | more if body is not None else more
        headers = self.headers | given.pop("headers", {})
        async with self.http.request(method, self.url + path, headers=headers, **given) as answer:
            text = await answer.text()
            is_json = "json" in answer.headers.get("Content-Type", "")
            return Reply(answer.status, answer.headers, text, await answer.json(content_type=None) if is_json else None)

    async def get(self, path: str, **more: Any) -> Reply:
        """GET."""
        return await self.send("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        """POST."""
        return await self.send("POST", path, body, **more)

    async def patch(self, path: str, body: Any, **more: Any) -> Reply:
        """PATCH."""
        return await self.send("PATCH", path, body, **more)

    async def delete(self, path: str) -> Reply:
        """DELETE."""
        return await self.send("DELETE", path)

    async def log_in(self, email: str, password: str = PASSWORD, **more: str) -> "Api":
        """Return a client who has logged in."""
        reply = await self.post("/api/auth/login", {"email": email, "password": password, **more})
        assert reply.status == 200, reply.text
        return self.bearing(reply.json["access_token"])


@dataclass
class House:
    """One ISP: its ids, and a client for each of its roles."""

    isp_id: int
    api_key: str
    radius_secret: str
    isp_admin: Api
    isp_staff: Api
    program: Api
    emails: dict[str, str]
    plan_id: int
    device_id: int
    customer_id: int
    user_id: int


@asynccontextmanager
async def serving(
    database: str, keyring: Keyring, *, rate: int = 100_000, pool: int = 4, cancels: bool = False, **config: Any
) -> AsyncIterator[Api]:
    """Serve the API on a free port; ``config`` is more of `ApiConfig`."""
    async with AsyncExitStack() as stack:
        isp, system = [await open_pool(database, role=role, max_size=pool) for role in (ISP_ROLE, SYSTEM_ROLE)]
        stack.push_async_callback(isp.close)
        stack.push_async_callback(system.close)
        pools = Pools(isp, system)
        services = make_services(pools, pools, keyring, ApiConfig(JWT_SECRET_KEY, RequestRate(rate, 60), **config))
        health = Health(dict, 1, lambda: system.execute("SELECT 1"))
        app = create_app(health, CollectorRegistry(), services)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, handler_cancellation=cancels)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield Api(f"http://127.0.0.1:{port}", http, services)


@pytest.fixture
async def api(database: str, keyring: Keyring) -> AsyncIterator[Api]:
    """The API, and nobody who has logged in."""
    async with serving(database, keyring) as client:
        yield client


@pytest.fixture
async def admin_user(db: Db) -> str:
    """The email of an admin whose password is PASSWORD."""
    return (await add_admin(db, "admin@example.com", PASSWORD)).email


@pytest.fixture
async def root(api: Api, admin_user: str) -> Api:
    """An admin who has logged in."""
    return await api.log_in(admin_user)


async def build_house(root: Api, name: str) -> House:
    """Create an ISP with people, a program, a plan, a device and a customer; only emails differ."""
    made = (await root.post("/api/isps", ISP | {"email": f"noc@{name}.example"})).json
    isp_id = made["id"]
    emails, people, user_id = {}, {}, 0
    for role in ("isp_admin", "isp_staff"):
        emails[role] = f"{role}@{name}.example"
        person = {"email": emails[role], "password": PASSWORD, "role": role, "isp_id": isp_id}
        user_id = (await root.post("/api/users", person)).json["id"]
        people[role] = await root.log_in(emails[role])
    owner = people["isp_admin"]
    plan = await owner.post("/api/service-plans", {"name": "Home 50", "download_bps": 50_000_000})
    device = await owner.post("/api/devices", DEVICE)
    customer = {"username": "customer@example.com", "password": "password123", "service_plan_id": plan.json["id"]}
    subscriber = await owner.post("/api/customers", customer)
    assert (plan.status, device.status, subscriber.status) == (201, 201, 201), (plan.text, device.text, subscriber.text)
    return House(
        isp_id,
        made["api_key"],
        made["radius_secret"],
        owner,
        people["isp_staff"],
        root.with_key(made["api_key"]),
        emails,
        plan.json["id"],
        device.json["id"],
        subscriber.json["id"],
        user_id,
    )


@pytest.fixture
async def houses(root: Api) -> tuple[House, House]:
    """Two ISPs that differ in ids, keys and emails only."""
    return await build_house(root, "north"), await build_house(root, "south")


@pytest.fixture
async def house(root: Api) -> House:
    """One ISP."""
    return await build_house(root, "north")


__all__ = ["SYSTEM_ROLE", "Api", "House", "Reply", "build_house", "serving"]
