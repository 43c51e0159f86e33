"""Every SQL constant, against the schema: it prepares, keeps to one schema, names the tenant and fills its record.

SQL is constant text in the two packages ``store`` and nowhere else.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

import mgmt.store
import radiuscore.store
from radiuscore.aaa.records import Customer, CustomerExtras, Isp, Nas, RateLimit, ServicePlan
from radiuscore.store import rows

if TYPE_CHECKING:
    from tests.conftest import Db

ROOT = Path(__file__).parents[1]
IS_SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|TRUNCATE|COPY|LOCK)\s", re.ASCII)
TABLE = re.compile(r"\b(control|accounting)\.(\w+)")


def statements() -> dict[str, str]:
    """Return every statement of the store packages by where it stands: public constants, alone or in a dictionary."""
    found = {}
    for package in (radiuscore.store, mgmt.store):
        for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for name, value in vars(importlib.import_module(info.name)).items():
                if not name.isupper() or name.startswith("_"):
                    continue
                several = value.items() if isinstance(value, dict) else [("", value)]
                for key, text in several:
                    if isinstance(text, str) and IS_SQL.match(text):
                        found[f"{info.name}.{name}{key and f'[{key}]'}"] = text
    return found


STATEMENTS = statements()

# Upkeep that is the same for every ISP, by the age of the rows.
FOR_ALL_ISPS = {
    "mgmt.store.reactions.EXPIRE",
    "mgmt.store.reactions.FORGET",
    "radiuscore.store.sweep.FORGET_PERIODS",
}


@pytest.mark.postgres
async def test_every_statement_prepares(db: Db) -> None:
    faults = {}
    for where, text in STATEMENTS.items():
        try:
            await db.prepare(text)
        except asyncpg.PostgresError as error:
            faults[where] = f"{type(error).__name__}: {error}"
    assert faults == {}
    assert len(STATEMENTS) > 40


def test_no_statement_names_both_schemas() -> None:
    """The accounting database may be another server."""
    for where, text in STATEMENTS.items():
        assert len({schema for schema, _ in TABLE.findall(text)}) <= 1, where


@pytest.mark.postgres
async def test_every_statement_on_tenants_tables_says_isp_id(db: Db) -> None:
    owned = {
        (row["schema"], row["name"])
        for row in await db.fetch(
            """
            SELECT ns.nspname AS schema, rel.relname AS name FROM pg_class AS rel
              JOIN pg_namespace AS ns ON ns.oid = rel.relnamespace
              JOIN pg_attribute AS att ON att.attrelid = rel.oid AND att.attname = 'isp_id'
             WHERE ns.nspname IN ('control', 'accounting') AND NOT rel.relispartition
            """
        )
    }
    # Of a user who logs in, and of an admin, the ISP is not known or there is none.
    of_people = {("control", "users"), ("control", "audit_log")}
    assert STATEMENTS.keys() >= FOR_ALL_ISPS
    for where, text in STATEMENTS.items():
        if where not in FOR_ALL_ISPS and (owned - of_people).intersection(TABLE.findall(text)):
            assert re.search(r"\bisp_id\b", text), where


def test_no_statement_takes_whatever_columns_there_are() -> None:
    for where, text in STATEMENTS.items():
        of_tables = re.sub(r"FROM unnest\(|count\(\*\)", "", text)
        assert not re.search(r"SELECT\s+\*\s+FROM\s+(control|accounting)\.", of_tables), where


# -- columns are fields ------------------------------------------------------------------------------------------------


async def columns(db: Db, text: str) -> set[str]:
    return {attribute.name for attribute in (await db.prepare(text)).get_attributes()}


def names(*records: type) -> set[str]:
    return {field.name for record in records for field in fields(record)}


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([rows.LOAD_ISPS, rows.FIND_ISPS], names(Isp)),
        (
            [rows.LOAD_NASES, rows.FIND_NASES, rows.FIND_NASES_OF_ISPS],
            names(Nas) | {"isp_secret", "isp_outgoing_secret"},
        ),
        (
            [rows.LOAD_PLANS, rows.FIND_PLANS],
            (names(ServicePlan, RateLimit) - {"rate_limit"})
            | {"walled_garden_download_bps", "walled_garden_upload_bps"}
            | {"throttle_download_bps", "throttle_upload_bps"},
        ),
        (
            [rows.LOAD_CUSTOMERS, rows.FIND_CUSTOMERS],
            (names(Customer, CustomerExtras) - {"extras", "rate_limit"}) | {"download_bps", "upload_bps", "raw"},
        ),
    ],
)
async def test_columns_have_the_names_of_the_fields(db: Db, texts: list[str], expected: set[str]) -> None:
    for text in texts:
        assert await columns(db, text) == expected


# -- where SQL may stand -----------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    return [path for package in ("radiuscore", "mgmt", "mikrotik") for path in sorted((ROOT / package).rglob("*.py"))]


def docstrings(tree: ast.AST) -> set[int]:
    """Return the identities of the nodes that are docstrings."""
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }


def test_sql_stands_in_the_store_only() -> None:
    for path in sources():
        if path.parent.name == "store":
            continue
        tree = ast.parse(path.read_text())
        prose = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                assert not re.match(
                    r"\s*(SELECT\s+.*\sFROM\s|INSERT INTO\s|UPDATE\s+\w+[.]\w+\s+SET\s|DELETE FROM\s)", node.value, re.S
                ), f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_statement_is_put_together_from_values() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                assert not IS_SQL.match(str(node.values[0].value)), f"{path.relative_to(ROOT)}:{node.lineno}"
