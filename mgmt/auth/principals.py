"""From a request's headers to who sent it. What a token says of its owner is looked up again, every time."""

import hmac
from typing import Final

from aiohttp import web

from mgmt.auth.tokens import AccessClaims
from mgmt.models import api_key_hash
from mgmt.problems import Problem
from mgmt.roles import Principal, Role
from mgmt.services import Services
from mgmt.store import people

API_KEY_HEADER: Final = "X-API-Key"
MAX_API_KEY: Final = 200  # characters


async def principal_of(request: web.Request, services: Services) -> Principal:
    """Return who sent a request. Raises `Problem` 401, and 403 for people and programs of a suspended ISP."""
    bearers, keys = request.headers.getall("Authorization", []), request.headers.getall(API_KEY_HEADER, [])
    if len(bearers) + len(keys) > 1:
        raise Problem("token_invalid", "Send one access token or one API key.")
    if keys:
        return await _holder_of_key(keys[0], services)
    if not bearers:
        raise Problem("token_missing")
    scheme, _, token = bearers[0].partition(" ")
    if scheme.lower() != "bearer":
        raise Problem("token_invalid")
    return await _owner_of_token(services.tokens.read(token.strip()), services)


async def _owner_of_token(claims: AccessClaims, services: Services) -> Principal:
    async with services.control.system.acquire() as db:
        person = await people.find_by_id(db, claims.user_id)
    if person is None or person.status != "active" or person.token_version != claims.version:
        raise Problem("token_invalid")
    if person.isp_status == "suspended":
        raise Problem("isp_suspended")
    return Principal(Role(person.role), person.isp_id, person.id, person.email, claims.session)


async def _holder_of_key(key: str, services: Services) -> Principal:
    if len(key) > MAX_API_KEY:
        raise Problem("token_invalid")
    given = api_key_hash(key)
    async with services.control.system.acquire() as db:
        holder = await people.find_by_api_key(db, given)
    if holder is None:
        raise Problem("token_invalid")
    known = (holder.api_key, holder.previous_api_key or "")
    if not sum(hmac.compare_digest(given, one) for one in known):
        raise Problem("token_invalid")
    if holder.status == "suspended":
        raise Problem("isp_suspended")
    return Principal(Role.API_KEY, holder.isp_id, None, f"API key of {holder.name}")
