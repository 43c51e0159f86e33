"""What a schema consists of, as text that two databases can be compared by; the order of columns does not count."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Db

DESCRIBE = {
    "columns": """
        SELECT format('%s.%s %s notnull=%s identity=%s default=%s collation=%s acl=%s', a.attrelid::regclass, a.attname,
                      format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                      pg_get_expr(d.adbin, d.adrelid), a.attcollation::regcollation,
                      (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(a.attacl) AS x))
          FROM pg_attribute AS a JOIN pg_class AS r ON r.oid = a.attrelid
          LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE r.relnamespace = $1::regnamespace AND r.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "relations": """
        SELECT format('%s %s rls=%s forced=%s options=%s acl=%s', r.oid::regclass, r.relkind, r.relrowsecurity,
                      r.relforcerowsecurity, r.reloptions,
                      (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(r.relacl) AS x))
          FROM pg_class AS r WHERE r.relnamespace = $1::regnamespace AND r.relkind <> 'i'
    """,
    "indexes": """
        SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i JOIN pg_class AS r ON r.oid = i.indrelid
         WHERE r.relnamespace = $1::regnamespace
    """,
    "constraints": """
        SELECT format('%s %s: %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
         WHERE connamespace = $1::regnamespace
    """,
    "triggers": """
        SELECT pg_get_triggerdef(t.oid) FROM pg_trigger AS t JOIN pg_class AS r ON r.oid = t.tgrelid
         WHERE r.relnamespace = $1::regnamespace AND NOT t.tgisinternal
    """,
    "functions": """
        SELECT pg_get_functiondef(oid) || coalesce(proacl::text, '') FROM pg_proc WHERE pronamespace = $1::regnamespace
    """,
    "policies": """
        SELECT format('%s %s %s %s %s %s', p.polrelid::regclass, p.polname, p.polcmd, p.polroles::regrole[],
                      pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
          FROM pg_policy AS p JOIN pg_class AS r ON r.oid = p.polrelid WHERE r.relnamespace = $1::regnamespace
    """,
    "comments": """
        SELECT format('%s.%s: %s', r.oid::regclass, a.attname, c.description) FROM pg_description AS c
          JOIN pg_class AS r ON r.oid = c.objoid AND c.classoid = 'pg_class'::regclass
          JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = c.objsubid
         WHERE r.relnamespace = $1::regnamespace
    """,
}


async def describe(db: Db, schema: str) -> dict[str, list[str]]:
    """Return everything that a schema consists of, sorted."""
    return {kind: sorted(row[0] for row in await db.fetch(query, schema)) for kind, query in DESCRIBE.items()}
