"""The HTTP side of the management process: what it answers, under which headers."""

import asyncio
import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from mgmt.docs import add_docs
from mgmt.health import Health, Readiness
from mgmt.middleware import with_problems, with_request_id
from mgmt.routes import ROUTES
from mgmt.routing import endpoint
from mgmt.services import SERVICES, Services

HEALTH: Final = web.AppKey("health", Health)
METRICS: Final = web.AppKey("metrics", CollectorRegistry)

MAX_BODY: Final = 1 << 20  # octets
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "radiuscore",
    "X-Content-Type-Options": "nosniff",
}


def create_app(health: Health, metrics: CollectorRegistry, services: Services) -> web.Application:
    """Return the application; whoever runs it owns what it is given."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[with_request_id, with_problems])
    app[HEALTH] = health
    app[METRICS] = metrics
    app[SERVICES] = services
    app.on_response_prepare.append(_add_headers)
    app.on_startup.append(_warm_up)
    app.router.add_get("/healthz", answer_alive)
    app.router.add_get("/readyz", answer_ready)
    app.router.add_get("/metrics", answer_metrics)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, endpoint(route))
    add_docs(app)
    return app


async def answer_alive(request: web.Request) -> web.Response:
    """GET /healthz: 200 while this process answers at all."""
    return web.json_response({"status": "ok"})


async def answer_ready(request: web.Request) -> web.Response:
    """GET /readyz: 200 while customers are served, 503 otherwise; the body says what is missing."""
    state = request.app[HEALTH].state()
    return web.json_response(state.to_json(), status=503 if state.status is Readiness.NOT_READY else 200)


async def answer_metrics(request: web.Request) -> web.Response:
    """GET /metrics: every worker's counters in Prometheus's text format."""
    text = await asyncio.to_thread(generate_latest, request.app[METRICS])
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def quiet_bad_requests() -> None:
    """Keep malformed requests out of the log: their tracebacks are not ours. Failures of handlers stay."""
    logging.getLogger("aiohttp.server").addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _warm_up(app: web.Application) -> None:
    await app[SERVICES].passwords.warm_up()


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = _HEADERS["Server"]
