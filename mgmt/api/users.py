"""Users: who may log in, in which role. Nobody locks himself out, and nobody makes himself more than he is."""

from typing import Any

import asyncpg

from mgmt.api.resource import load, lock, refusals_explained, version_of
from mgmt.api.schemas.base import Patch
from mgmt.api.schemas.users import NewUser, UserPage, UserQuery, UserShown
from mgmt.audit import changes, record
from mgmt.call import Answer, Call, first_position
from mgmt.problems import Fault, Problem, invalid
from mgmt.roles import Role
from mgmt.store import user_records as store
from radiuscore.store.pool import Connection


async def list_users(call: Call, query: UserQuery) -> Answer:
    """List users, in the order they were created."""
    isp_id = call.isp_filter(query.isp_id)
    after = first_position(call.position(query.cursor))
    async with call.listing() as db:
        rows = await db.fetch(store.LIST, isp_id, after, query.role, query.status, query.q, query.limit + 1)
    page, cursor = call.page(rows, query.limit, "id")
    return Answer(UserPage(items=[_shown(row) for row in page], next=cursor))


async def create_user(call: Call, body: NewUser) -> Answer:
    """Create a user."""
    isp_id = _isp_of_new(call, body)
    fields = body.model_dump(mode="json", exclude={"isp_id"})
    password_hash = await call.services.passwords.hash(body.password)
    try:
        with refusals_explained():
            async with call.transaction() as db:
                user_id: int = await db.fetchval(store.NEXT_ID)
                names = (body.first_name, body.last_name, body.role, body.status)
                await db.execute(store.INSERT, user_id, isp_id, body.email, password_hash, *names)
                await record(call, db, "users.create", isp_id=isp_id, target=("user", user_id), new=fields)
                row = await load(db, store.FIND, isp_id, user_id)
    except Problem as problem:
        if problem.code == "in_use":  # its one reference is the ISP
            raise invalid("isp_id", "there is no such ISP", code="unknown_reference") from None
        raise
    return Answer(_shown(row), version_of(row))


async def get_user(call: Call) -> Answer:
    """Show a user."""
    user_id = call.id()
    async with call.transaction() as db:
        row = await load(db, store.FIND, await _isp_of(call, db, user_id), user_id)
    return Answer(_shown(row), version_of(row))


async def change_user(call: Call, body: Patch) -> Answer:
    """Change some fields of a user. A new password, role or status ends his logins."""
    user_id, fields = call.id(), body.given()
    password = fields.get("password")
    password_hash = None if password is None else await call.services.passwords.hash(password)
    with refusals_explained():
        async with call.transaction() as db:
            isp_id = await _isp_of(call, db, user_id)
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, user_id)
            old, new = changes(_shown(row).model_dump(mode="json"), fields)
            _check_change(call, user_id, isp_id, new)
            if new.keys() - {"password"}:
                await db.execute(store.UPDATE, isp_id, user_id, new)
            if password_hash is not None:
                await db.execute(store.SET_PASSWORD, isp_id, user_id, password_hash)
            if new.keys() & {"password", "role", "status"}:
                await db.execute(store.END_TOKENS, isp_id, user_id)
            if new:
                await record(call, db, "users.change", isp_id=isp_id, target=("user", user_id), old=old, new=new)
            row = await load(db, store.FIND, isp_id, user_id)
    return Answer(_shown(row), version_of(row))


async def delete_user(call: Call) -> Answer:
    """Delete a user, and with him all his logins."""
    user_id = call.id()
    async with call.transaction() as db:
        isp_id = await _isp_of(call, db, user_id)
        row = await load(db, store.FIND, isp_id, user_id)
        call.check_etag(version_of(row))
        if user_id == call.principal.user_id:
            raise Problem("own_account")
        await db.execute(store.DELETE, isp_id, user_id)
        gone = _shown(row).model_dump(mode="json")
        await record(call, db, "users.delete", isp_id=isp_id, target=("user", user_id), old=gone)
    return Answer(None)


async def _isp_of(call: Call, db: Connection, user_id: int) -> int | None:
    if call.principal.isp_id is not None:
        return call.principal.isp_id
    row = await db.fetchrow(store.FIND_ISP, user_id)
    if row is None:
        raise Problem("not_found")
    isp_id: int | None = row["isp_id"]
    return isp_id


def _isp_of_new(call: Call, body: NewUser) -> int | None:
    if body.role != "admin":
        return call.isp_to_create_for(body.isp_id)
    if call.role is not Role.ADMIN:
        if body.isp_id is not None:
            call.own_isp(body.isp_id)
        raise Problem("field_forbidden", faults=[Fault("body", "role", "field_forbidden", "is for admins to give")])
    if body.isp_id is not None:
        raise invalid("isp_id", "an admin belongs to no ISP")
    return None


def _check_change(call: Call, user_id: int, isp_id: int | None, new: dict[str, Any]) -> None:
    role = new.get("role")
    if role is not None and (role == "admin") != (isp_id is None):
        raise Problem("field_forbidden", faults=[Fault("body", "role", "field_forbidden", "is not one of his ISP's")])
    if user_id == call.principal.user_id and new.keys() & {"role", "status", "password"}:
        raise Problem(
            "own_account", "Role and status are for somebody else to change; the password, /api/auth/password."
        )


def _shown(row: asyncpg.Record) -> UserShown:
    return UserShown.model_validate(dict(row))
