"""The API and RADIUS of one running server: what is said over REST is in force on every worker at once."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import aiohttp
import pytest

from mgmt.accounts import add_admin
from radiuscore.testing import FakeNas
from tests.conftest import Db
from tests.end_to_end.conftest import Server, run_server
from tests.mgmt.api.conftest import DEVICE, ISP, PASSWORD

pytestmark = pytest.mark.postgres

IN_FORCE_S = 0.1


class Rest:
    """A client of a running server."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.url, self.http, self.headers = f"http://127.0.0.1:{server.api_port}", http, dict[str, str]()

    async def send(self, method: str, path: str, body: Mapping[str, object], status: int) -> dict[str, object]:
        """Send a request and return what is answered."""
        async with self.http.request(method, self.url + path, json=body, headers=self.headers) as answer:
            assert answer.status == status, await answer.text()
            found: dict[str, object] = await answer.json()
            return found


async def test_a_customer_made_over_rest_logs_in_and_a_suspended_one_does_not(
    own_database: dict[str, str], db: Db
) -> None:
    await add_admin(db, "admin@example.com", PASSWORD)
    environ = own_database | {"OUTBOUND_ALLOW": "127.0.0.0/8"}
    async with (
        run_server(Path(environ["DATA_DIR"]), environ) as server,
        aiohttp.ClientSession() as http,
    ):
        rest = Rest(server, http)
        login = await rest.send("POST", "/api/auth/login", {"email": "admin@example.com", "password": PASSWORD}, 200)
        rest.headers["Authorization"] = f"Bearer {login['access_token']}"
        isp = await rest.send("POST", "/api/isps", ISP, 201)
        rest.headers = {"X-API-Key": str(isp["api_key"])}
        await rest.send("POST", "/api/devices", DEVICE | {"device_ip": "127.0.0.1"}, 201)
        plan = await rest.send("POST", "/api/service-plans", {"name": "Home", "download_bps": 50_000_000}, 201)
        took = []
        async with FakeNas(str(isp["radius_secret"]).encode(), auth=("127.0.0.1", server.auth_port)) as nas:
            for number in range(5):
                body = {"username": f"u{number}", "password": "pw", "service_plan_id": plan["id"]}
                customer = await rest.send("POST", "/api/customers", body, 201)
                begun = perf_counter()
                async with asyncio.timeout(5):
                    while not (await nas.login(f"u{number}", "pw")).accepted:
                        pass
                took.append(perf_counter() - begun)
                await rest.send("PATCH", f"/api/customers/{customer['id']}", {"status": "suspended"}, 200)
                async with asyncio.timeout(5):
                    while (await nas.login(f"u{number}", "pw")).accepted:
                        pass
        assert sorted(took)[2] < IN_FORCE_S, took
        assert str(isp["radius_secret"]) not in server.log.read_text()
        assert await server.stop() == 0
