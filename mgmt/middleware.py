"""Around every request: its id, its line in the log, and problems as answers."""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

import asyncpg
from aiohttp import web

from mgmt.call import REQUEST_ID
from mgmt.problems import Problem
from mgmt.routing import ACTOR, RATE
from radiuscore.store.pool import CannotConnect

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID_HEADER: Final = "X-Request-Id"
_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_OF_STATUS: Final = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}
_AWAY: Final = (
    CannotConnect,
    TimeoutError,
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
)

_LOG: Final = logging.getLogger(__name__)


@web.middleware
async def with_request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, answer it, and write one line: never a query, a body or a header that may hold a secret."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request[REQUEST_ID] = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
    begun = perf_counter()
    response = await handler(request)
    response.headers[REQUEST_ID_HEADER] = request[REQUEST_ID]
    response.headers.update(request.get(RATE, {}))
    if request.path.startswith("/api/"):
        fields = {
            "request_id": request[REQUEST_ID],
            "method": request.method,
            "path": request.path,
            "status": response.status,
            "ms": round((perf_counter() - begun) * 1000, 1),
            "actor": request.get(ACTOR),
            "address": request.remote,
        }
        _LOG.info("a request", extra=fields)
    return response


@web.middleware
async def with_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what a handler raises. What it did not mean to raise is logged with its traceback, and told to nobody."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.to_response()
    except web.HTTPException as error:
        return _of_http(error)
    except _AWAY as error:
        fields = {"request_id": request[REQUEST_ID], "error": type(error).__name__}
        _LOG.warning("the database does not answer a request", extra=fields)
        return Problem("database_unavailable", headers={"Retry-After": "2"}).to_response()
    except Exception:  # noqa: BLE001  # whatever it is, its traceback is for us and not for the client
        _LOG.exception("a request failed", extra={"request_id": request[REQUEST_ID], "path": request.path})
        return Problem("internal_error", f"Tell us the request id {request[REQUEST_ID]}.").to_response()


def _of_http(error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return Problem(_OF_STATUS.get(error.status, "bad_request"), headers=headers).to_response()
