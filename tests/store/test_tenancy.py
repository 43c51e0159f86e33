"""Row-level security, from the catalogue: a new table fails here until it is protected and filled below.

Two ISPs with equal names, addresses and usernames; whoever acts as one of them sees, changes, deletes and adds
nothing of the other's, and whoever has named no ISP gets an error.
"""

# ruff: noqa: S608  (the names in these statements come from the catalogue)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import pytest

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres

TENANT_TABLES = """
SELECT ns.nspname || '.' || rel.relname AS name, rel.oid, rel.relrowsecurity, rel.relforcerowsecurity
  FROM pg_class AS rel
  JOIN pg_namespace AS ns ON ns.oid = rel.relnamespace
 WHERE ns.nspname IN ('control', 'accounting')
   AND rel.relkind IN ('r', 'p')
   AND NOT rel.relispartition
   AND (rel.relname = 'isps'
        OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel.oid AND attname = 'isp_id' AND NOT attisdropped))
 ORDER BY 1
"""

# One row in every table that `insert_tenant` leaves empty: $1 ISP, $2 device, $3 plan, $4 customer.
FILL = """
INSERT INTO control.users (isp_id, email, password_hash, role) VALUES ($1, $1 || '@example.com', '', 'isp_admin');
INSERT INTO control.customer_devices (isp_id, customer_id, device_id) VALUES ($1, $4, $2);
INSERT INTO control.address_pools (isp_id, name, ranges) VALUES ($1, 'homes', '{[10.0.0.2,10.0.0.254]}');
INSERT INTO control.quota_topups (isp_id, customer_id, octets) VALUES ($1, $4, 1);
INSERT INTO control.invoices (id, isp_id, customer_id, number, currency) VALUES ($1, $1, $4, 1, 'EUR');
INSERT INTO control.invoice_lines (isp_id, invoice_id, line, description, unit_price, amount)
  VALUES ($1, $1, 1, '', 1, 1);
INSERT INTO control.payments (isp_id, invoice_id, amount, currency) VALUES ($1, $1, 1, 'EUR');
INSERT INTO control.voucher_batches (id, isp_id, service_plan_id, name) VALUES ($1, $1, $3, 'June');
INSERT INTO control.vouchers (isp_id, batch_id, customer_id) VALUES ($1, $1, $4);
INSERT INTO control.device_status (isp_id, device_id) VALUES ($1, $2);
INSERT INTO control.device_backups (isp_id, device_id, kind, content, size_octets, sha256)
  VALUES ($1, $2, 'export', '', 0, repeat('0', 64));
INSERT INTO control.reactions (isp_id, device_id, session_id, acct_session_id, node, kind, cause)
VALUES ($1, $2, gen_random_uuid(), '81000001', 'n1', 'disconnect', 'manual');
INSERT INTO control.webhooks (id, isp_id, url) VALUES ($1, $1, 'https://example.com');
INSERT INTO control.webhook_deliveries (isp_id, webhook_id, event, payload) VALUES ($1, $1, 'test', '{}');
INSERT INTO control.audit_log (isp_id, actor, action) VALUES ($1, 'x', 'y');
INSERT INTO control.idempotency_keys (isp_id, principal, key, request_sha256) VALUES ($1, 'isp', 'k', repeat('0', 64));

INSERT INTO accounting.sessions (isp_id, nas_id, acct_session_id, username_key, id, username, state, started_at,
    updated_at, session_time, input_octets, output_octets, node, start_estimate, statuses)
  VALUES ($1, $2, '81', 'a', gen_random_uuid(), 'a', 'open', now(), now(), 0, 0, 0, 'n1', 0, 1);
INSERT INTO accounting.session_history (isp_id, nas_id, acct_session_id, username_key, id, username, closed_by,
    started_at, updated_at, stopped_at, closed_as_of, session_time, input_octets, output_octets, node, start_estimate,
    statuses)
  VALUES ($1, $2, '81', 'a', gen_random_uuid(), 'a', 'stop', now(), now(), now(), now(), 0, 0, 0, 'n1', 0, 2);
INSERT INTO accounting.usage_hour (isp_id, customer_id, hour, input_octets, output_octets, session_time)
  VALUES ($1, $4, date_trunc('hour', now()), 1, 1, 1);
INSERT INTO accounting.usage_day (isp_id, customer_id, day, input_octets, output_octets, session_time)
  VALUES ($1, $4, now(), 1, 1, 1);
INSERT INTO accounting.usage_period
    (isp_id, customer_id, period, period_start, input_octets, output_octets, session_time)
  VALUES ($1, $4, 'month', now(), 1, 1, 1);
INSERT INTO accounting.auth_log (isp_id, at, nas_id, username, outcome, reason, method, node)
  VALUES ($1, now(), $2, 'a', 'accept', '', 'pap', 'n1');
INSERT INTO accounting.address_leases (isp_id, address, pool_id) VALUES ($1, '10.0.0.1', 1);
INSERT INTO accounting.simultaneous_use_slots (isp_id, customer_id, slot, session_id, nas_id, expires_at)
  VALUES ($1, $4, 1, gen_random_uuid(), $2, now());
"""


@pytest.fixture
async def filled(db: Db, tenants: tuple[Tenant, Tenant]) -> tuple[Tenant, Tenant]:
    for tenant in tenants:
        values = {"$1": tenant.isp_id, "$2": tenant.device_id, "$3": tenant.plan_id, "$4": tenant.customer_id}
        text = FILL
        for name, value in values.items():
            text = text.replace(name, str(value))
        await db.execute(text)
    return tenants


async def tenant_tables(db: Db) -> list[Any]:
    tables = await db.fetch(TENANT_TABLES)
    assert len(tables) > 25
    return tables


def tenant_column(table: str) -> str:
    return "id" if table == "control.isps" else "isp_id"


async def affected(db: Db, statement: str, *args: object) -> int:
    """Return how many rows a statement touched; 0 where this role may not even try."""
    try:
        async with db.transaction():
            return int((await db.execute(statement, *args)).rpartition(" ")[2])
    except asyncpg.InsufficientPrivilegeError:
        return 0


async def updatable_column(db: Db, table: Any) -> str | None:
    name: str | None = await db.fetchval(
        """
        SELECT attname FROM pg_attribute
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
           AND has_column_privilege('radiuscore_isp', attrelid, attnum, 'UPDATE')
         ORDER BY attnum LIMIT 1
        """,
        table["oid"],
    )
    return name


# -- the catalogue -----------------------------------------------------------------------------------------------------


async def test_every_table_of_a_tenant_is_protected_from_everybody(db: Db) -> None:
    for table in await tenant_tables(db):
        assert table["relrowsecurity"], f"{table['name']}: row-level security is not enabled"
        assert table["relforcerowsecurity"], f"{table['name']}: row-level security is not forced"
        policies = {
            row["polname"]: row
            for row in await db.fetch(
                """
                SELECT polname, polpermissive, polcmd, polroles::regrole[]::text[] AS roles,
                       pg_get_expr(polqual, polrelid) AS seen, pg_get_expr(polwithcheck, polrelid) AS written
                  FROM pg_policy WHERE polrelid = $1
                """,
                table["oid"],
            )
        }
        assert policies.keys() == {"owner", "system", "isp"}, table["name"]
        owner = await db.fetchval("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = $1", table["oid"])
        own = f"({tenant_column(table['name'])} = (current_setting('app.isp_id'::text))::integer)"
        for name, role, rule in (
            ("owner", owner, "true"),
            ("system", "radiuscore_system", "true"),
            ("isp", "radiuscore_isp", own),
        ):
            policy = policies[name]
            assert policy["polcmd"] == b"*"
            assert policy["roles"] == [role]
            assert (policy["seen"], policy["written"]) == (rule, rule), f"{table['name']}, policy {name}"


async def test_the_roles_are_no_masters(db: Db) -> None:
    roles = await db.fetch(
        """
        SELECT rolname FROM pg_roles
         WHERE rolname IN ('radiuscore_isp', 'radiuscore_system')
           AND NOT (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb)
        """
    )
    assert len(roles) == 2


async def test_no_foreign_key_between_tables_of_tenants_lacks_the_tenant(db: Db) -> None:
    tables = [table["oid"] for table in await tenant_tables(db)]
    keys = await db.fetch(
        """
        SELECT con.conrelid::regclass::text AS from_table, con.confrelid::regclass::text AS to_table,
               array_agg(mine.attname::text ORDER BY at) AS mine, array_agg(theirs.attname::text ORDER BY at) AS theirs
          FROM pg_constraint AS con
          CROSS JOIN LATERAL unnest(con.conkey, con.confkey) WITH ORDINALITY AS pair (mine, theirs, at)
          JOIN pg_attribute AS mine ON mine.attrelid = con.conrelid AND mine.attnum = pair.mine
          JOIN pg_attribute AS theirs ON theirs.attrelid = con.confrelid AND theirs.attnum = pair.theirs
         WHERE con.contype = 'f' AND con.conrelid = ANY ($1::oid[]) AND con.confrelid = ANY ($1::oid[])
         GROUP BY con.oid, con.conrelid, con.confrelid
        """,
        tables,
    )
    assert len(keys) > 15
    for key in keys:
        target = tenant_column(key["to_table"])
        assert ("isp_id", target) in zip(key["mine"], key["theirs"], strict=True), dict(key)


async def test_no_foreign_key_leaves_its_schema(db: Db) -> None:
    assert not await db.fetch(
        """
        SELECT con.conname FROM pg_constraint AS con
          JOIN pg_class AS mine ON mine.oid = con.conrelid
          JOIN pg_class AS theirs ON theirs.oid = con.confrelid
         WHERE con.contype = 'f' AND mine.relnamespace <> theirs.relnamespace
        """
    )


async def test_unique_keys_of_tenants_begin_with_the_tenant(db: Db) -> None:
    """Otherwise one ISP would learn what another has by failing to insert it."""
    global_by_design = {"users.email", "users.lower(email::text)"}
    rows = await db.fetch(
        """
        SELECT rel.relname || '.' || pg_get_indexdef(ix.indexrelid, 1, true) AS first, ix.indisprimary
          FROM pg_index AS ix JOIN pg_class AS rel ON rel.oid = ix.indrelid
         WHERE ix.indisunique AND ix.indrelid = ANY ($1::oid[]) AND rel.relname <> 'isps'
        """,
        [table["oid"] for table in await tenant_tables(db)],
    )
    assert len(rows) > 20
    for row in rows:
        table, _, column = row["first"].partition(".")
        numbered = row["indisprimary"] and column in {"id", "seq"}
        assert column == "isp_id" or numbered or row["first"] in global_by_design, f"{table}: {column}"


async def test_partitions_are_reached_through_their_parents_only(db: Db) -> None:
    granted = await db.fetch(
        """
        SELECT rel.oid::regclass FROM pg_class AS rel JOIN pg_namespace AS ns ON ns.oid = rel.relnamespace
         WHERE ns.nspname IN ('control', 'accounting') AND rel.relispartition AND rel.relacl IS NOT NULL
        """
    )
    assert granted == []


async def test_nothing_goes_around_the_policies(db: Db) -> None:
    """A view reads as its owner unless it says otherwise; so does a function that is SECURITY DEFINER."""
    views = await db.fetch(
        """
        SELECT rel.oid::regclass::text FROM pg_class AS rel JOIN pg_namespace AS ns ON ns.oid = rel.relnamespace
         WHERE ns.nspname IN ('control', 'accounting') AND rel.relkind IN ('v', 'm')
           AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = rel.oid AND attname = 'isp_id')
           AND NOT coalesce('security_invoker=true' = ANY (rel.reloptions), false)
        """
    )
    assert views == []
    functions = await db.fetch(
        """
        SELECT proc.oid::regprocedure::text AS name, proc.prorettype = 'trigger'::regtype AS is_trigger,
               has_function_privilege('radiuscore_isp', proc.oid, 'EXECUTE') AS callable,
               coalesce('search_path=pg_catalog, pg_temp' = ANY (proc.proconfig), false) AS path_is_fixed
          FROM pg_proc AS proc JOIN pg_namespace AS ns ON ns.oid = proc.pronamespace
         WHERE ns.nspname IN ('control', 'accounting') AND proc.prosecdef
        """
    )
    assert functions
    for function in functions:
        assert function["path_is_fixed"], function["name"]
        assert function["is_trigger"] or not function["callable"], function["name"]


async def test_a_temporary_type_does_not_run_code_as_the_owner(isp_db: Db, filled: tuple[Tenant, Tenant]) -> None:
    """PostgreSQL looks for types in pg_temp first, unless the path of a SECURITY DEFINER function names it last."""
    await isp_db.execute(
        """
        CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
        CREATE DOMAIN pg_temp."char" AS text CHECK (pg_temp.tell(value));
        CREATE DOMAIN pg_temp.int8 AS bigint CHECK (pg_temp.tell(value::text));
        """
    )
    mine = filled[0]
    await isp_db.execute("SELECT set_config('app.isp_id', $1, false)", str(mine.isp_id))
    await isp_db.execute("UPDATE control.customers SET status = 'suspended' WHERE id = $1", mine.customer_id)
    await isp_db.execute("UPDATE control.devices SET coa_port = 1700 WHERE id = $1", mine.device_id)
    await isp_db.execute("UPDATE control.isps SET name = 'renamed' WHERE id = $1", mine.isp_id)


# -- the behaviour -----------------------------------------------------------------------------------------------------


async def test_both_isps_have_a_row_in_every_table(db: Db, filled: tuple[Tenant, Tenant]) -> None:
    for table in await tenant_tables(db):
        for tenant in filled:
            column = tenant_column(table["name"])
            found = await db.fetchval(f"SELECT count(*) FROM {table['name']} WHERE {column} = $1", tenant.isp_id)
            assert found, f"{table['name']} has no row of ISP {tenant.isp_id}: add one to FILL"


async def test_an_isp_reaches_its_own_rows_and_no_others(db: Db, isp_db: Db, filled: tuple[Tenant, Tenant]) -> None:
    mine, other = (tenant.isp_id for tenant in filled)
    await isp_db.execute("SELECT set_config('app.isp_id', $1, false)", str(mine))
    readable = 0
    for table in await tenant_tables(db):
        name, column = table["name"], tenant_column(table["name"])
        if await db.fetchval("SELECT has_table_privilege('radiuscore_isp', $1::oid, 'SELECT')", table["oid"]):
            readable += 1
            assert {row[0] for row in await isp_db.fetch(f"SELECT {column} FROM {name}")} == {mine}, name
        assert await affected(isp_db, f"DELETE FROM {name} WHERE {column} = $1", other) == 0
        if (free := await updatable_column(db, table)) is not None:
            assert await affected(isp_db, f"UPDATE {name} SET {free} = {free} WHERE {column} = $1", other) == 0
            assert await affected(isp_db, f"UPDATE {name} SET {free} = {free}") >= 1, name
    assert readable > 15


async def test_an_isp_cannot_add_a_row_of_another(db: Db, isp_db: Db, filled: tuple[Tenant, Tenant]) -> None:
    """Every column that it may write is copied from the other's own row, so that nothing but the policy refuses it."""
    mine, other = (tenant.isp_id for tenant in filled)
    await isp_db.execute("SELECT set_config('app.isp_id', $1, false)", str(mine))
    tried = 0
    for table in await tenant_tables(db):
        columns = await db.fetch(
            """
            SELECT quote_ident(attname) AS name FROM pg_attribute
             WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
               AND has_column_privilege('radiuscore_isp', attrelid, attnum, 'INSERT')
            """,
            table["oid"],
        )
        if not columns:
            continue
        names = ", ".join(column["name"] for column in columns)
        row = await db.fetchval(
            f"SELECT to_jsonb(t) FROM {table['name']} AS t WHERE {tenant_column(table['name'])} = $1 LIMIT 1", other
        )
        tried += 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await isp_db.execute(
                f"INSERT INTO {table['name']} ({names}) "
                f"SELECT {names} FROM jsonb_populate_record(null::{table['name']}, $1::jsonb)",
                row,
            )
    assert tried > 10


async def test_without_a_tenant_everything_is_an_error(db: Db, isp_db: Db, filled: tuple[Tenant, Tenant]) -> None:
    for value in (None, ""):  # never set, and what is left of a setting that was local to a transaction
        if value is not None:
            await isp_db.execute("SELECT set_config('app.isp_id', '', false)")
        for table in await tenant_tables(db):
            for statement in (f"SELECT * FROM {table['name']}", f"DELETE FROM {table['name']}"):
                with pytest.raises(
                    (
                        asyncpg.UndefinedObjectError,
                        asyncpg.InvalidTextRepresentationError,
                        asyncpg.InsufficientPrivilegeError,
                    )
                ):
                    await isp_db.execute(statement)


async def test_a_row_of_one_isp_cannot_refer_to_anothers(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    """As the owner, whom no policy stops: the keys themselves hold."""
    mine, other = tenants
    for statement, *args in (
        ("UPDATE control.customers SET service_plan_id = $1 WHERE id = $2", other.plan_id, mine.customer_id),
        (
            "INSERT INTO control.customer_devices (isp_id, customer_id, device_id) VALUES ($1, $2, $3)",
            mine.isp_id,
            mine.customer_id,
            other.device_id,
        ),
        (
            "INSERT INTO control.invoices (isp_id, customer_id, number, currency) VALUES ($1, $2, 1, 'EUR')",
            mine.isp_id,
            other.customer_id,
        ),
        ("INSERT INTO control.device_status (isp_id, device_id) VALUES ($1, $2)", mine.isp_id, other.device_id),
    ):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await db.execute(statement, *args)


# -- what an ISP may not write even of its own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE control.isps SET max_customers = 0",
        "UPDATE control.isps SET subscription_plan = 'enterprise'",
        "UPDATE control.isps SET status = 'active'",
        "INSERT INTO control.isps (name, company_name, email, api_key) VALUES ('x', 'x', 'x', repeat('0', 64))",
        "DELETE FROM control.isps",
        "UPDATE control.devices SET proved_at = now()",
        "INSERT INTO control.devices (isp_id, device_name, device_ip, proved_at) "
        "VALUES (current_setting('app.isp_id')::int, 'x', '10.0.0.1', now())",
        "UPDATE control.devices SET radius_sources = '{0.0.0.0/0}', require_message_authenticator = 'yes'",
        "UPDATE control.customers SET isp_id = isp_id",
        "UPDATE control.customers SET id = id",
        "UPDATE control.payments SET amount = 1",
        "DELETE FROM control.payments",
        "UPDATE control.audit_log SET actor = 'x'",
        "DELETE FROM control.audit_log",
        "UPDATE control.reactions SET state = 'done'",
        "SELECT * FROM control.change_log",
        "INSERT INTO control.change_log (isp_id, tbl, op, pk) VALUES (1, 'isps', 'U', 1)",
        "SELECT * FROM control.key_checks",
        "SELECT * FROM control.refresh_tokens",
        "SELECT * FROM control.recovery_codes",
        "SELECT * FROM control.login_throttle",
        "SELECT control.prune_change_log()",
        "INSERT INTO control.users (email, password_hash, role) VALUES ('x@example.com', '', 'admin')",
        "TRUNCATE control.customers",
    ],
)
async def test_is_refused_to_an_isp(isp_db: Db, tenants: tuple[Tenant, Tenant], statement: str) -> None:
    await isp_db.execute("SELECT set_config('app.isp_id', $1, false)", str(tenants[0].isp_id))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await isp_db.execute(statement)


async def test_an_isp_cannot_make_an_admin_of_its_user(isp_db: Db, db: Db, filled: tuple[Tenant, Tenant]) -> None:
    await isp_db.execute("SELECT set_config('app.isp_id', $1, false)", str(filled[0].isp_id))
    with pytest.raises(asyncpg.CheckViolationError):
        await isp_db.execute("UPDATE control.users SET role = 'admin'")


async def test_the_system_moves_no_row_to_another_isp(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await system_db.execute("UPDATE control.customers SET isp_id = $1", tenants[1].isp_id)


async def test_the_owner_can_dump_everything(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    """Forced row-level security binds the owner; his policy shows him all of it."""
    assert await db.fetchval("SELECT count(DISTINCT isp_id) FROM control.customers") == 2
    assert (
        orjson.dumps(await db.fetchval("SELECT jsonb_agg(c) FROM control.customers AS c")).count(b"username_key") == 2
    )
