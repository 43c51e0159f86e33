"""What the leader reads and writes of quotas in the configuration: actions in force, top-ups, warnings.

An action is written where it begins, changes or ends; nothing else of a customer is touched, and what is the same
already is not written, because every writing is a change that all workers and the planner follow.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from radiuscore.aaa.quota import TopUp
from radiuscore.aaa.records import CustomerId, IspId, QuotaAction
from radiuscore.store.pool import Connection

LIST_RESTRICTED: Final = """
SELECT isp_id, id
  FROM control.customers
 WHERE quota_state IS NOT NULL
"""

# One without an end lasts no longer than the longest period.
LIST_TOP_UPS: Final = """
SELECT t.isp_id, t.customer_id, extract(epoch FROM t.valid_from)::float8, coalesce(t.octets, 0),
       coalesce(t.seconds, 0), extract(epoch FROM t.valid_until)::float8
  FROM unnest($1::int[], $2::bigint[]) AS of (isp_id, customer_id)
  JOIN control.quota_topups AS t USING (isp_id, customer_id)
 WHERE coalesce(t.valid_until, t.valid_from + interval '32 days') > to_timestamp($3)
"""

SET_ACTIONS: Final = """
WITH verdict AS (
  SELECT c.isp_id, c.id, v.action, v.until
    FROM unnest($1::int[], $2::bigint[], $3::text[], $4::float8[]) AS given (isp_id, id, action, until)
   CROSS JOIN LATERAL (SELECT given.action, to_timestamp(given.until) AS until) AS v
    JOIN control.customers AS c ON c.isp_id = given.isp_id AND c.id = given.id
   WHERE (c.quota_state, c.quota_until) IS DISTINCT FROM (v.action, v.until)
   ORDER BY 1, 2
     FOR UPDATE OF c
)
UPDATE control.customers AS c
   SET quota_state = verdict.action, quota_until = verdict.until
  FROM verdict
 WHERE c.isp_id = verdict.isp_id
   AND c.id = verdict.id
RETURNING c.isp_id, c.id
"""

NOTE_WARNED: Final = """
WITH warned AS (
  SELECT c.isp_id, c.id
    FROM unnest($1::int[], $2::bigint[], $3::float8[]) AS given (isp_id, id, period_began)
    JOIN control.customers AS c USING (isp_id, id)
   WHERE c.quota_warned_at IS NULL
      OR c.quota_warned_at < to_timestamp(given.period_began)
   ORDER BY 1, 2
     FOR UPDATE OF c
)
UPDATE control.customers AS c
   SET quota_warned_at = to_timestamp($4)
  FROM warned
 WHERE c.isp_id = warned.isp_id
   AND c.id = warned.id
RETURNING c.isp_id, c.id
"""


class Action(NamedTuple):
    """What is in force for a customer until when (seconds since 1970); ``None``: his plan as it is."""

    isp_id: IspId
    customer_id: CustomerId
    action: QuotaAction | None
    until: float | None


class Warned(NamedTuple):
    """A customer who has used 80 % of his quota in the period that began then (seconds since 1970)."""

    isp_id: IspId
    customer_id: CustomerId
    period_began: float


async def list_restricted(db: Connection) -> list[tuple[IspId, CustomerId]]:
    """Return who is under a quota's action, over or not. Reads one small index."""
    return [(row[0], row[1]) for row in await db.fetch(LIST_RESTRICTED)]


async def list_top_ups(
    db: Connection, customers: Collection[tuple[IspId, CustomerId]], now: float
) -> dict[tuple[IspId, CustomerId], list[TopUp]]:
    """Return the customers' top-ups that may count at ``now`` (seconds since 1970) or later."""
    found: dict[tuple[IspId, CustomerId], list[TopUp]] = {}
    if customers:
        for isp_id, customer_id, *top_up in await db.fetch(LIST_TOP_UPS, *zip(*customers, strict=True), now):
            found.setdefault((isp_id, customer_id), []).append(TopUp(*top_up))
    return found


async def set_actions(db: Connection, actions: Sequence[Action]) -> list[tuple[IspId, CustomerId]]:
    """Write the actions that differ from what is in force, and return whose those are."""
    if not actions:
        return []
    return [(row[0], row[1]) for row in await db.fetch(SET_ACTIONS, *zip(*actions, strict=True))]


async def note_warned(db: Connection, warned: Sequence[Warned], now: float) -> list[tuple[IspId, CustomerId]]:
    """Note that customers have reached 80 %, and return those of whom that is new in their period."""
    if not warned:
        return []
    return [(row[0], row[1]) for row in await db.fetch(NOTE_WARNED, *zip(*warned, strict=True), now)]
