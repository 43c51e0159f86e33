"""RouterOS 7's REST, as its manual describes it: all values are text, errors are JSON with ``detail``."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.mikrotik.standin.state import Refusal, Router, Row


class RestServer:
    """Serves one router. ``beta`` answers a single menu as a list, as 7.1beta4 did; ``fault`` is what goes wrong."""

    def __init__(self, router: Router, *, beta: bool = False, fault: str = "") -> None:
        self.router = router
        self.beta = beta
        self.fault = fault
        self.port = 0
        self.seen: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/rest")
        self.seen.append(f"{request.method} {path}")
        login = base64.b64encode(f"{self.router.username}:{self.router.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            return self._error(401, "Unauthorized", "")
        if self.fault and path != "/system/identity":
            return await self._go_wrong(request)
        body: Row = await request.json() if request.can_read_body else {}
        try:
            return web.json_response(self._answer(request.method, path, dict(request.query), body))
        except Refusal as refusal:
            return self._error(400, "Bad Request", refusal.messages[0])

    def _error(self, status: int, message: str, detail: str) -> web.Response:
        body: dict[str, object] = {"error": status, "message": message}
        if detail:
            body["detail"] = detail
        return web.json_response(body, status=status)

    async def _go_wrong(self, request: web.Request) -> web.StreamResponse:
        match self.fault:
            case "redirect":
                return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
            case "not json":
                return web.Response(text="<html>not a router</html>")
            case "not rows":
                return web.json_response([1, 2, 3])
            case "500":
                return web.Response(status=500, text="boom")
            case "404":
                return self._error(404, "Not Found", "")
            case "endless":
                response = web.StreamResponse()
                await response.prepare(request)
                while request.transport is not None and not request.transport.is_closing():
                    await response.write(b" " * 65536)
                    await asyncio.sleep(0)  # a write that need not wait would hold the loop
                return response
            case "cut":
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b"[{")
                assert request.transport is not None
                request.transport.abort()
                return response
        raise AssertionError(self.fault)

    def _answer(self, method: str, path: str, query: Row, body: Row) -> object:
        router = self.router
        if method == "GET":
            wanted = query.pop(".proplist").split(",")
            rows = [
                {name: row[name] for name in wanted if name in row}
                for row in router.rows(path)
                if all(row.get(name) == value for name, value in query.items())
            ]
            return rows[0] if path in router.singles and not self.beta else rows
        menu, _, last = path.rpartition("/")
        match method, last:
            case "PUT", _:
                return router.find(path, router.add(path, body))
            case "PATCH", _:
                router.change(menu, last, body)
                return router.find(menu, last)
            case "DELETE", _:
                router.remove(menu, last)
                return []
            case "POST", "set":
                router.change(menu, None, body)
                return []
            case "POST", "monitor":
                return [router.monitor(menu, body[".id"])]
            case "POST", "export":
                router.write_export(body.pop("file"), set(body))
                return []
            case "POST", "read":
                return [{"data": router.read_file(body)}]
        raise router.unknown(path)


@asynccontextmanager
async def serve_rest(
    router: Router, tls: ssl.SSLContext | None, *, beta: bool = False, fault: str = ""
) -> AsyncIterator[RestServer]:
    """Serve REST on a free port of 127.0.0.1."""
    rest = RestServer(router, beta=beta, fault=fault)
    app = web.Application()
    app.router.add_route("*", "/rest/{path:.*}", rest.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    rest.port = runner.addresses[0][1]
    try:
        yield rest
    finally:
        await runner.cleanup()
