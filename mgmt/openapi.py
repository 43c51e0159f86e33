"""The API described by its own route table, in OpenAPI 3.1: what is not in the table does not exist."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from mgmt.auth.principals import API_KEY_HEADER
from mgmt.idempotency import HEADER as IDEMPOTENCY_KEY
from mgmt.problems import CODES, CONTENT_TYPE
from mgmt.roles import Role
from mgmt.routing import Route

_PARAMETER: Final = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})*)\}")
_REF: Final = "#/components/schemas/"

Refs: TypeAlias = dict[tuple[Any, JsonSchemaMode], dict[str, Any]]


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the description of these routes."""
    used: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    for route in routes:
        used += [(route.body, "validation")] if route.body else []
        used += [(route.answer, "serialization")] if route.answer else []
    refs, definitions = models_json_schema(list(dict.fromkeys(used)), ref_template=_REF + "{model}")
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(plain_path(route.path), {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "RadiusCore",
            "version": version("radiuscore"),
            "description": (
                "Many ISPs, each alone in its house. Log in at /api/auth/login, or send an ISP's key as "
                f"{API_KEY_HEADER}. Errors are problem details (RFC 9457) with a stable code."
            ),
            "license": {"name": "Apache-2.0 AND GPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}) | {"Problem": _problem_schema()},
            "securitySchemes": {
                "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER},
            },
        },
    }


def plain_path(path: str) -> str:
    """Return a path with ``{name}`` where the table has ``{name:pattern}``."""
    return _PARAMETER.sub(r"{\1}", path)


def operation_id(route: Route) -> str:
    """Return what programs call a route."""
    return str(route.handler.__name__)


def _operation(route: Route, refs: Refs) -> dict[str, Any]:
    doc = " ".join((route.handler.__doc__ or "").split())
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "tags": [route.tag],
        "summary": doc.partition(". ")[0].rstrip("."),
        "description": doc,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": _responses(route, refs),
        "security": _security(route),
    }
    if route.roles is not None:
        operation["x-roles"] = sorted(route.roles)
    if route.body is not None:
        schema = refs[(route.body, "validation")]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.roles is None:
        return []
    names = ["accessToken"] + (["apiKey"] if Role.API_KEY in route.roles else [])
    return [{name: []} for name in names]


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    found = []
    for name, pattern in _PARAMETER.findall(route.path):
        schema: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
        if not pattern.startswith(r"\d"):
            schema = {"type": "string", "format": "uuid"}
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(by_alias=True)
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            **({"description": text} if (text := field.pop("description", None)) else {}),
            "schema": _without_null(field),
        }
        for name, field in schema["properties"].items()
    ]


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter: it is there or not, but never null."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    plain = {name: value for name, value in field.items() if name not in ("anyOf", "title")}
    if plain.get("default", 0) is None:
        del plain["default"]
    return plain | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    headers = []
    if route.remembers:
        schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
        text = "Sent again with the same key and content, it is not done again: the first answer is repeated."
        headers.append({"name": IDEMPOTENCY_KEY, "in": "header", "description": text, "schema": schema})
    if route.method == "PATCH":
        text = "The ETag of what one has seen: a change in the meantime is 412."
        headers.append({"name": "If-Match", "in": "header", "description": text, "schema": {"type": "string"}})
    return headers


def _responses(route: Route, refs: Refs) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        answer["content"] = {"application/json": {"schema": refs[(route.answer, "serialization")]}}
    problem = {"description": "A problem", "content": {CONTENT_TYPE: {"schema": {"$ref": _REF + "Problem"}}}}
    return {str(route.status): answer, "default": problem}


def _problem_schema() -> dict[str, Any]:
    fault = {
        "type": "object",
        "required": ["where", "field", "code", "message"],
        "properties": {name: {"type": "string"} for name in ("where", "field", "code", "message")},
    }
    return {
        "type": "object",
        "description": "Why a request was not done (RFC 9457). `error` repeats `code`.",
        "required": ["type", "title", "status", "code", "error"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": sorted(CODES)},
            "error": {"type": "string", "enum": sorted(CODES)},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": fault, "description": "Every fault of the request at once."},
        },
        "examples": [
            {
                "type": "urn:problem:radiuscore:limit_reached",
                "title": CODES["limit_reached"].title,
                "status": 409,
                "code": "limit_reached",
                "error": "limit_reached",
                "detail": "10 of 10 devices",
                "resource": "devices",
                "used": 10,
                "limit": 10,
            }
        ],
    }
