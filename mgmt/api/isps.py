"""ISPs: admins create and delete them, their own people read and rename them."""

from typing import Any, Final

import asyncpg

from mgmt.api.resource import load, lock, refusals_explained, seal, version_of
from mgmt.api.schemas.base import Patch
from mgmt.api.schemas.isps import IspCreated, IspPage, IspQuery, IspShown, NewIsp
from mgmt.audit import changes, record
from mgmt.call import Answer, Call, first_position
from mgmt.models import PLAN_LIMITS, Isp, SubscriptionPlan, api_key_hash
from mgmt.problems import Fault, Problem
from mgmt.roles import Role
from mgmt.store import isp_records as store
from mgmt.store import isps

OWN_FIELDS: Final = frozenset({"name", "company_name", "email", "time_zone", "radius_secret"})
MAX_ISP_ID: Final = 2**31 - 1


def isp_of_path(call: Call) -> int:
    """Return the ISP of the path. Raises `Problem`, the same for another ISP's id and for one that nobody has."""
    isp_id = call.id()
    if call.principal.isp_id is not None:
        return call.own_isp(isp_id)
    if isp_id > MAX_ISP_ID:
        raise Problem("not_found")
    return isp_id


async def list_isps(call: Call, query: IspQuery) -> Answer:
    """List ISPs, in the order they were created."""
    after = first_position(call.position(query.cursor))
    async with call.listing() as db:
        rows = await db.fetch(store.LIST, after, query.status, query.subscription_plan, query.q, query.limit + 1)
    page, cursor = call.page(rows, query.limit, "id")
    return Answer(IspPage(items=[_shown(row) for row in page], next=cursor))


async def create_isp(call: Call, body: NewIsp) -> Answer:
    """Create an ISP. Its API key and RADIUS secret are shown this once."""
    isp = Isp(**body.model_dump())
    api_key, radius_secret, limits = isp.generate_api_key(), isp.generate_radius_secret(), isp.limits
    new = body.model_dump(mode="json") | limits._asdict()
    with refusals_explained():
        async with call.transaction() as db:
            isp_id = await isps.insert(
                db, call.services.keyring, **new, api_key_hash=api_key_hash(api_key), radius_secret=radius_secret
            )
            await record(call, db, "isps.create", isp_id=isp_id, target=("isp", isp_id), new=new)
            row = await load(db, store.FIND, isp_id, isp_id)
    created = IspCreated(**_shown(row).model_dump(), api_key=api_key, radius_secret=radius_secret)
    return Answer(created, version_of(row), {"Location": f"/api/isps/{isp_id}"})


async def get_isp(call: Call) -> Answer:
    """Show an ISP."""
    isp_id = isp_of_path(call)
    async with call.transaction() as db:
        row = await load(db, store.FIND, isp_id, isp_id)
    return Answer(_shown(row), version_of(row))


async def change_isp(call: Call, body: Patch) -> Answer:
    """Change some fields of an ISP. Its contract (plan, limits, status) is for admins to change."""
    isp_id, fields = isp_of_path(call), body.given()
    if call.role is not Role.ADMIN and (others := fields.keys() - OWN_FIELDS):
        faults = [Fault("body", name, "field_forbidden", "is for admins to set") for name in sorted(others)]
        raise Problem("field_forbidden", faults=faults)
    with refusals_explained():
        async with call.transaction() as db:
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, isp_id)
            before = _shown(row).model_dump(mode="json")
            old, new = changes(before, _with_limits(before, fields))
            sealed = seal(call, new, "isps", isp_id, isp_id, "radius_secret")
            for statement, columns in store.UPDATES:
                if new.keys() & columns:
                    await db.execute(statement, isp_id, sealed)
            if new:
                await record(call, db, "isps.change", isp_id=isp_id, target=("isp", isp_id), old=old, new=new)
            row = await load(db, store.FIND, isp_id, isp_id)
    return Answer(_shown(row), version_of(row))


async def delete_isp(call: Call) -> Answer:
    """Delete an ISP that has nothing any more: no users, devices, customers, plans or invoices."""
    isp_id = isp_of_path(call)
    with refusals_explained():
        async with call.transaction() as db:
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, isp_id)
            await db.execute(store.DELETE, isp_id)
            gone = _shown(row).model_dump(mode="json")
            await record(call, db, "isps.delete", isp_id=isp_id, target=("isp", isp_id), old=gone)
    return Answer(None)


def _with_limits(before: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields where a change of plan brings the new plan's limits along, unless they were set apart."""
    if "subscription_plan" not in fields:
        return fields
    was = PLAN_LIMITS[SubscriptionPlan(before["subscription_plan"])]._asdict()
    now = PLAN_LIMITS[SubscriptionPlan(fields["subscription_plan"])]._asdict()
    return {name: now[name] for name in now if before[name] == was[name]} | fields


def _shown(row: asyncpg.Record) -> IspShown:
    return IspShown.model_validate(dict(row))
