"""Customers: create, find, read, change, delete."""

from typing import Any, Final

import asyncpg

from mgmt.api.resource import load, lock, lock_room, refusals_explained, seal, version_of
from mgmt.api.schemas.base import Patch
from mgmt.api.schemas.customers import CustomerPage, CustomerQuery, CustomerShown, NewCustomer
from mgmt.audit import changes, record
from mgmt.call import Answer, Call, first_position
from mgmt.problems import Fault, Problem
from mgmt.roles import Role
from mgmt.store import customer_records as store
from radiuscore.aaa.names import username_key
from radiuscore.store.pool import Connection

STAFF_FIELDS: Final = frozenset({"password", "notes"})


async def list_customers(call: Call, query: CustomerQuery) -> Answer:
    """List customers, in the order they were created."""
    isp_id = call.isp_filter(query.isp_id)
    after = first_position(call.position(query.cursor))
    key = None if query.username is None else username_key(query.username)
    async with call.listing() as db:
        rows = await db.fetch(
            store.LIST,
            isp_id,
            after,
            query.status,
            query.service_plan_id,
            key,
            query.expires_before,
            query.expires_after,
            query.q,
            query.limit + 1,
        )
    page, cursor = call.page(rows, query.limit, "id")
    return Answer(CustomerPage(items=[_shown(row) for row in page], next=cursor))


async def create_customer(call: Call, body: NewCustomer) -> Answer:
    """Create a customer. Refused where the ISP has as many as it may have, or one of that name."""
    isp_id = call.isp_to_create_for(body.isp_id)
    fields = body.model_dump(mode="json", exclude={"isp_id"})
    with refusals_explained():
        async with call.transaction() as db:
            await lock_room(call, db, isp_id, "customers")
            customer_id: int = await db.fetchval(store.NEXT_ID)
            await db.execute(store.INSERT, isp_id, customer_id, _columns(call, fields, isp_id, customer_id))
            await db.execute(store.ADD_DEVICES, isp_id, customer_id, body.device_ids)
            await record(call, db, "customers.create", isp_id=isp_id, target=("customer", customer_id), new=fields)
            row = await load(db, store.FIND, isp_id, customer_id)
    return Answer(_shown(row), version_of(row))


async def get_customer(call: Call) -> Answer:
    """Show a customer."""
    customer_id = call.id()
    async with call.transaction() as db:
        row = await load(db, store.FIND, await call.isp_of_row(db, store.FIND_ISP, customer_id), customer_id)
    return Answer(_shown(row), version_of(row))


async def change_customer(call: Call, body: Patch) -> Answer:
    """Change some fields of a customer. Staff change passwords and notes."""
    customer_id, fields = call.id(), body.given()
    async with call.transaction() as db:
        isp_id = await call.isp_of_row(db, store.FIND_ISP, customer_id)
        with refusals_explained():
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, customer_id)
            _check_role(call, fields)
            old, new = changes(_shown(row).model_dump(mode="json"), fields)
            await _change(call, db, isp_id, customer_id, new)
        if new:
            target = ("customer", customer_id)
            await record(call, db, "customers.change", isp_id=isp_id, target=target, old=old, new=new)
        row = await load(db, store.FIND, isp_id, customer_id)
    return Answer(_shown(row), version_of(row))


async def delete_customer(call: Call) -> Answer:
    """Delete a customer. What he used, and his invoices, are kept."""
    customer_id = call.id()
    with refusals_explained():
        async with call.transaction() as db:
            isp_id = await call.isp_of_row(db, store.FIND_ISP, customer_id)
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, customer_id)
            await db.execute(store.DELETE, isp_id, customer_id)
            gone = _shown(row).model_dump(mode="json")
            await record(call, db, "customers.delete", isp_id=isp_id, target=("customer", customer_id), old=gone)
    return Answer(None)


async def _change(call: Call, db: Connection, isp_id: int, customer_id: int, new: dict[str, Any]) -> None:
    columns = _columns(call, new, isp_id, customer_id)
    if new.keys() - store.OTHER_FIELDS:
        await db.execute(store.UPDATE_LOGIN, isp_id, customer_id, columns)
    if new.keys() & store.OTHER_FIELDS:
        await db.execute(store.UPDATE_OTHER, isp_id, customer_id, columns)
    if "device_ids" in new:
        await db.execute(store.REMOVE_DEVICES, isp_id, customer_id, new["device_ids"])
        await db.execute(store.ADD_DEVICES, isp_id, customer_id, new["device_ids"])


def _columns(call: Call, fields: dict[str, Any], isp_id: int, customer_id: int) -> dict[str, Any]:
    """Return what is stored of fields: the name with the form it is compared in, the password sealed."""
    key = {"username_key": username_key(fields["username"])} if "username" in fields else {}
    return seal(call, fields, "customers", customer_id, isp_id, "password") | key


def _check_role(call: Call, fields: dict[str, Any]) -> None:
    if call.role is Role.ISP_STAFF and (others := fields.keys() - STAFF_FIELDS):
        faults = [Fault("body", name, "field_forbidden", "is not for staff to set") for name in sorted(others)]
        raise Problem("field_forbidden", faults=faults)


def _shown(row: asyncpg.Record) -> CustomerShown:
    return CustomerShown.model_validate(dict(row))
