"""Service plans: create, read, change, delete."""

from typing import Any

import asyncpg

from mgmt.api.resource import load, lock, refusals_explained, version_of
from mgmt.api.schemas.base import Patch
from mgmt.api.schemas.plans import NewPlan, PlanPage, PlanQuery, PlanShown
from mgmt.audit import changes, record
from mgmt.call import Answer, Call, first_position
from mgmt.problems import invalid
from mgmt.store import plan_records as store


async def list_plans(call: Call, query: PlanQuery) -> Answer:
    """List service plans, in the order they were created."""
    isp_id = call.isp_filter(query.isp_id)
    after = first_position(call.position(query.cursor))
    async with call.listing() as db:
        rows = await db.fetch(store.LIST, isp_id, after, query.status, query.q, query.limit + 1)
    page, cursor = call.page(rows, query.limit, "id")
    return Answer(PlanPage(items=[_shown(row) for row in page], next=cursor))


async def create_plan(call: Call, body: NewPlan) -> Answer:
    """Create a service plan."""
    isp_id = call.isp_to_create_for(body.isp_id)
    fields = body.model_dump(mode="json", exclude={"isp_id"})
    with refusals_explained():
        async with call.transaction() as db:
            if await db.fetchval(store.LOCK_ISP, isp_id) is None:
                raise invalid("isp_id", "there is no such ISP", code="unknown_reference")
            plan_id: int = await db.fetchval(store.NEXT_ID)
            await db.execute(store.INSERT, isp_id, plan_id, _columns(fields))
            await record(call, db, "service_plans.create", isp_id=isp_id, target=("service_plan", plan_id), new=fields)
            row = await load(db, store.FIND, isp_id, plan_id)
    return Answer(_shown(row), version_of(row))


async def get_plan(call: Call) -> Answer:
    """Show a service plan."""
    plan_id = call.id()
    async with call.transaction() as db:
        row = await load(db, store.FIND, await call.isp_of_row(db, store.FIND_ISP, plan_id), plan_id)
    return Answer(_shown(row), version_of(row))


async def change_plan(call: Call, body: Patch) -> Answer:
    """Change some fields of a service plan: in force at the next login of its customers."""
    plan_id, fields = call.id(), body.given()
    with refusals_explained():
        async with call.transaction() as db:
            isp_id = await call.isp_of_row(db, store.FIND_ISP, plan_id)
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, plan_id)
            old, new = changes(_shown(row).model_dump(mode="json"), fields)
            if new:
                await db.execute(store.UPDATE, isp_id, plan_id, _columns(new))
                target = ("service_plan", plan_id)
                await record(call, db, "service_plans.change", isp_id=isp_id, target=target, old=old, new=new)
            row = await load(db, store.FIND, isp_id, plan_id)
    return Answer(_shown(row), version_of(row))


async def delete_plan(call: Call) -> Answer:
    """Delete a service plan. Refused while it has customers: archive it instead."""
    plan_id = call.id()
    with refusals_explained():
        async with call.transaction() as db:
            isp_id = await call.isp_of_row(db, store.FIND_ISP, plan_id)
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, plan_id)
            await db.execute(store.DELETE, isp_id, plan_id)
            gone = _shown(row).model_dump(mode="json")
            await record(call, db, "service_plans.delete", isp_id=isp_id, target=("service_plan", plan_id), old=gone)
    return Answer(None)


def _columns(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with the hours as PostgreSQL writes a multirange."""
    hours = fields.get("login_hours")
    if hours is None:
        return fields
    return fields | {"login_hours": "{" + ",".join(f"[{begin},{end})" for begin, end in hours) + "}"}


def _shown(row: asyncpg.Record) -> PlanShown:
    hours = [[one.lower, one.upper] for one in row["login_hours"]]
    return PlanShown.model_validate(dict(row) | {"login_hours": hours})
