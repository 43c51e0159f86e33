"""What a row of the route table is, and how it becomes a handler: who may, how often, what was sent, what is answered.

In this order, and the cheap things first: a body is not read before its sender may send it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeAlias

from aiohttp import web
from orjson import dumps
from pydantic import BaseModel, ValidationError

from mgmt.auth.principals import principal_of
from mgmt.call import Answer, Call
from mgmt.idempotency import HEADER as IDEMPOTENCY_KEY
from mgmt.idempotency import remembered
from mgmt.problems import Fault, Problem
from mgmt.ratelimit import counted_as
from mgmt.roles import Principal, Role
from mgmt.services import SERVICES, Services

Handler: TypeAlias = Callable[..., Awaitable[Answer]]
RATE: Final = web.RequestKey("rate", Mapping[str, str])  # headers that tell what is left of the rate
ACTOR: Final = web.RequestKey("actor", str)  # who it turned out to be, for the log

NOBODY: Final = Principal(Role.API_KEY, None, None, "nobody")


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. ``roles`` may ask; ``None`` is everybody, and then nobody is known.

    The handler takes the `Call`, then ``body`` and ``query`` as far as the row names them. ``answer`` is the model it
    answers with. ``remembers``: with an Idempotency-Key it is done once, however often it is sent.
    """

    method: str
    path: str
    handler: Handler
    roles: frozenset[Role] | None
    tag: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    remembers: bool = False

    @property
    def place(self) -> str:
        """Method and path, as the table has them."""
        return f"{self.method} {self.path}"


def endpoint(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the aiohttp handler of a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        principal = await _admit(request, services, route.roles)
        octets = await request.read() if route.body is not None else b""
        arguments = _arguments(request, route, octets)
        call = Call(request, principal, services, route.place)
        key = request.headers.get(IDEMPOTENCY_KEY) if route.remembers else None
        if key is None:
            return _response(await route.handler(call, **arguments), route.status)
        said = sha256(route.place.encode() + request.raw_path.encode() + b"\0" + octets).hexdigest()

        async def answer() -> web.Response:
            return _response(await route.handler(call, **arguments), route.status)

        return await remembered(call, key, said, answer)

    return handle


async def _admit(request: web.Request, services: Services, roles: frozenset[Role] | None) -> Principal:
    """Return who asks, once he has been counted and may. Raises `Problem`."""
    if roles is None:
        request[RATE] = services.limiter.admit(f"address:{request.remote}").headers
        return NOBODY
    try:
        principal = await principal_of(request, services)
    except Problem:
        request[RATE] = services.limiter.admit(f"address:{request.remote}").headers
        raise
    request[ACTOR] = principal.actor
    request[RATE] = services.limiter.admit(counted_as(principal)).headers
    if principal.role not in roles:
        raise Problem("forbidden")
    return principal


def _arguments(request: web.Request, route: Route, octets: bytes) -> dict[str, BaseModel]:
    """Return what the handler takes beside the call. Raises `Problem` with everything that is wrong at once."""
    found: dict[str, BaseModel] = {}
    faults: list[Fault] = []
    if route.query is not None:
        _validate("query", found, faults, lambda model: model.model_validate(_query(request)), route.query)
    elif request.query:
        faults += [Fault("query", name, "extra_forbidden", "There is no such parameter here") for name in request.query]
    if route.body is not None:
        if request.content_type != "application/json":
            raise Problem("unsupported_media_type")
        _validate("body", found, faults, lambda model: model.model_validate_json(octets), route.body)
    if faults:
        raise Problem("validation_failed", faults=faults)
    return found


def _validate(
    where: str,
    found: dict[str, BaseModel],
    faults: list[Fault],
    validate: Callable[[type[BaseModel]], BaseModel],
    model: type[BaseModel],
) -> None:
    try:
        found[where] = validate(model)
    except ValidationError as error:
        faults += [
            Fault(where, ".".join(map(str, one["loc"])), one["type"], one["msg"])
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]


def _query(request: web.Request) -> Mapping[str, object]:
    """Return the query's parameters; one that is given twice is a list, which no model takes."""
    return {
        name: values[0] if len(values := request.query.getall(name)) == 1 else values for name in set(request.query)
    }


def _response(answer: Answer, status: int) -> web.Response:
    headers = dict(answer.headers)
    if answer.etag is not None:
        headers["ETag"] = f'"{answer.etag}"'
    if answer.content is None:
        return web.Response(status=204, headers=headers)
    return web.Response(body=to_json(answer.content), status=status, content_type="application/json", headers=headers)


def to_json(content: BaseModel | Mapping[str, Any]) -> bytes:
    """Return a model, or JSON as it is, in octets."""
    return content.model_dump_json().encode() if isinstance(content, BaseModel) else dumps(content)
