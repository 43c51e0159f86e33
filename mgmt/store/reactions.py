"""Reactions: what is to happen to live sessions, and what came of it. A queue whose takers may die at any moment.

A wish (``due`` is set) is a state that a session should have: of those that wait a session has one, the latest. What
somebody asked for by hand has no ``due``, is asked once, and is not undone by a wish. Of one session only one reaction
is being sent at a time; one that was taken and not finished within `LEASE_S` is taken again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from radiuscore.aaa.dynauth import ReactionResult
from radiuscore.aaa.records import CustomerId, IspId, NasId
from radiuscore.store.pool import Connection

CHANNEL: Final = "radiuscore_reactions"
LEASE_S: Final = 30.0  # a CoA-Request and the Disconnect-Request after it take 16 s when nobody answers
KEPT: Final = "30 days"
NOT_AGAIN_FOR: Final = "1 hour"  # what failed is not tried again for so long, unless something changes
_LOOK_AHEAD: Final = 2000  # reactions among which those of many NASes are chosen

# $10: whether what was tried lately is left alone. Sessions of devices that are gone get nothing.
WISH: Final = """
INSERT INTO control.reactions AS r
       (isp_id, device_id, customer_id, session_id, acct_session_id, node, kind, cause, why, due)
SELECT w.isp_id, w.device_id, w.customer_id, w.session_id, w.acct_session_id, w.node, w.kind, w.cause, w.why, w.due
  FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
              $9::text[], $10::bytea[])
    AS w (isp_id, device_id, customer_id, session_id, acct_session_id, node, kind, cause, why, due)
  JOIN control.devices AS d ON d.isp_id = w.isp_id AND d.id = w.device_id
 WHERE NOT EXISTS (
         SELECT
           FROM control.reactions AS o
          WHERE o.isp_id = w.isp_id
            AND o.session_id = w.session_id
            AND o.device_id = w.device_id
            AND o.acct_session_id = w.acct_session_id
            AND o.due = w.due
            AND (o.state = 'sent'
                 OR $11 AND o.state IN ('done', 'failed') AND o.finished_at > now() - $12::text::interval))
ON CONFLICT (isp_id, session_id, device_id, acct_session_id) WHERE state = 'queued' AND due IS NOT NULL DO UPDATE
SET node = excluded.node, kind = excluded.kind, cause = excluded.cause, why = excluded.why, due = excluded.due,
    result = NULL, error_cause = NULL, detail = NULL, attempts = 0, not_before = now(), expires_at = excluded.expires_at
WHERE (r.node, r.due) IS DISTINCT FROM (excluded.node, excluded.due)
RETURNING id
"""

FIND_WISHES: Final = """
SELECT DISTINCT ON (session_id, device_id, acct_session_id) session_id, device_id, acct_session_id, due
  FROM control.reactions
 WHERE isp_id = $1
   AND session_id = ANY ($2::uuid[])
   AND state IN ('queued', 'sent')
   AND due IS NOT NULL
 ORDER BY session_id, device_id, acct_session_id, id DESC
"""

ASK: Final = """
INSERT INTO control.reactions
       (isp_id, device_id, customer_id, session_id, acct_session_id, node, kind, cause, attributes, requested_by,
        expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + interval '1 minute')
RETURNING id
"""

# What a node sends next: the oldest first, of one session one at a time, and of a device ($4, $5) as many as there is
# room for. One that waits for its next try holds up none that came after it.
TAKE: Final = """
WITH candidate AS (
  SELECT r.isp_id, r.id, r.device_id, r.not_before
    FROM control.reactions AS r
   WHERE r.node = $1
     AND r.state IN ('queued', 'sent')
     AND r.not_before <= now()
     AND (r.state = 'queued' OR r.sent_at < now() - $2::float8 * interval '1 second')
     AND r.expires_at > now()
     AND r.device_id <> ALL ($3::bigint[])
     AND NOT EXISTS (
           SELECT
             FROM control.reactions AS o
            WHERE o.isp_id = r.isp_id
              AND o.session_id = r.session_id
              AND o.device_id = r.device_id
              AND o.acct_session_id = r.acct_session_id
              AND o.id <> r.id
              AND (o.state = 'sent' AND o.sent_at >= now() - $2::float8 * interval '1 second'
                   OR o.state IN ('queued', 'sent') AND o.not_before <= now() AND o.expires_at > now()
                      AND o.id < r.id))
   ORDER BY r.not_before, r.id
   LIMIT $7
),
placed AS (
  SELECT isp_id, id, device_id, not_before,
         row_number() OVER (PARTITION BY device_id ORDER BY not_before, id) AS place
    FROM candidate
),
mine AS (
  SELECT r.isp_id, r.id
    FROM placed AS p
    LEFT JOIN unnest($4::bigint[], $5::int[]) AS busy (device_id, room) USING (device_id)
    JOIN control.reactions AS r ON r.isp_id = p.isp_id AND r.id = p.id
   WHERE p.place <= coalesce(busy.room, $6)
     AND (r.state = 'queued' OR r.state = 'sent' AND r.sent_at < now() - $2::float8 * interval '1 second')
   ORDER BY p.not_before, p.id
   LIMIT $8
     FOR UPDATE OF r SKIP LOCKED
)
UPDATE control.reactions AS r
   SET state = 'sent', sent_at = now(), attempts = r.attempts + 1
  FROM mine
 WHERE r.isp_id = mine.isp_id
   AND r.id = mine.id
RETURNING r.isp_id, r.id, r.device_id, r.customer_id, r.session_id, r.acct_session_id, r.kind, r.cause, r.attributes,
          r.due, r.attempts, r.created_at
"""

# A try that found the lease gone changes nothing: another one has the reaction.
FINISH: Final = """
UPDATE control.reactions
   SET state = $4, kind = $5, result = $6, error_cause = $7, detail = $8, finished_at = now()
 WHERE isp_id = $1
   AND id = $2
   AND state = 'sent'
   AND attempts = $3
"""

# Where a newer wish waits already, this one has been overtaken.
POSTPONE: Final = """
UPDATE control.reactions AS r
   SET state = CASE WHEN newer THEN 'cancelled' ELSE 'queued' END,
       finished_at = CASE WHEN newer THEN now() END,
       not_before = now() + $8::float8 * interval '1 second', kind = $4, result = $5, error_cause = $6, detail = $7
  FROM (SELECT EXISTS (
                 SELECT
                   FROM control.reactions AS o
                   JOIN control.reactions AS this ON this.isp_id = $1 AND this.id = $2
                  WHERE o.isp_id = this.isp_id
                    AND o.session_id = this.session_id
                    AND o.device_id = this.device_id
                    AND o.acct_session_id = this.acct_session_id
                    AND o.state = 'queued'
                    AND o.due IS NOT NULL
                    AND this.due IS NOT NULL) AS newer) AS overtaken
 WHERE r.isp_id = $1
   AND r.id = $2
   AND r.state = 'sent'
   AND r.attempts = $3
"""

FIND: Final = """
SELECT id, isp_id, device_id, customer_id, session_id, acct_session_id, node, kind, cause, why, state, result,
       error_cause, detail, attempts, requested_by, created_at, sent_at, finished_at
  FROM control.reactions
 WHERE isp_id = $1
   AND id = ANY ($2::bigint[])
 ORDER BY id
"""

LIST_OF_SESSION: Final = """
SELECT id, isp_id, device_id, customer_id, session_id, acct_session_id, node, kind, cause, why, state, result,
       error_cause, detail, attempts, requested_by, created_at, sent_at, finished_at
  FROM control.reactions
 WHERE isp_id = $1
   AND session_id = $2
 ORDER BY id DESC
 LIMIT $3
"""

EXPIRE: Final = """
WITH late AS (
  UPDATE control.reactions
     SET state = 'expired', finished_at = now()
   WHERE state IN ('queued', 'sent')
     AND expires_at <= now()
     AND (state = 'queued' OR sent_at < now() - $1::float8 * interval '1 second')
  RETURNING id
)
SELECT count(*) FROM late
"""

FORGET: Final = """
WITH gone AS (
  DELETE FROM control.reactions
   WHERE created_at < now() - $1::text::interval AND finished_at IS NOT NULL
  RETURNING id
)
SELECT count(*) FROM gone
"""


class Kind(StrEnum):
    """What is sent. The server's own wish says what it will most likely be, and in the end what it was."""

    COA = "coa"
    DISCONNECT = "disconnect"


class State(StrEnum):
    """How far a reaction is. ``FAILED``: refused, or no answer to the last try; ``CANCELLED``: no longer needed."""

    QUEUED = "queued"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


UNFINISHED: Final = frozenset({State.QUEUED, State.SENT})


class SessionId(NamedTuple):
    """Which session of an ISP: its id, and its device's own for it, because a device may give one id to several."""

    session_id: UUID
    device_id: NasId
    acct_session_id: str


class Wish(NamedTuple):
    """What the server wants of a session: ``due`` is the reply it should have, encoded, empty if it should not be.

    ``node`` is the one that its router answers. ``cause`` is a word, ``why`` a sentence for staff, if there is one.
    """

    isp_id: IspId
    device_id: NasId
    customer_id: CustomerId
    session_id: UUID
    acct_session_id: str
    node: str
    kind: Kind
    cause: str
    why: str | None
    due: bytes


class Request(NamedTuple):
    """What somebody asked to be done to a session; ``requested_by`` is a user's id, ``None`` for an API key."""

    isp_id: IspId
    device_id: NasId
    customer_id: CustomerId | None
    session_id: UUID
    acct_session_id: str
    node: str
    kind: Kind
    cause: str
    attributes: bytes
    requested_by: int | None


class Taken(NamedTuple):
    """A reaction that this node is to carry out now. ``attempts`` counts this one."""

    isp_id: IspId
    id: int
    device_id: NasId
    customer_id: CustomerId | None
    session_id: UUID
    acct_session_id: str
    kind: Kind
    cause: str
    attributes: bytes
    due: bytes | None
    attempts: int
    created_at: datetime

    @property
    def session(self) -> SessionId:
        """Which session it is for."""
        return SessionId(self.session_id, self.device_id, self.acct_session_id)


class Tried(NamedTuple):
    """What came of a try. ``result`` is ``None`` where nothing was sent; ``detail`` is a sentence for staff."""

    kind: Kind
    result: ReactionResult | None
    error_cause: int | None = None
    detail: str | None = None


class Reaction(NamedTuple):
    """A reaction as it is shown. ``result`` is that of its latest try; times are aware UTC."""

    id: int
    isp_id: IspId
    device_id: NasId
    customer_id: CustomerId | None
    session_id: UUID
    acct_session_id: str
    node: str
    kind: Kind
    cause: str
    why: str | None
    state: State
    result: ReactionResult | None
    error_cause: int | None
    detail: str | None
    attempts: int
    requested_by: int | None
    created_at: datetime
    sent_at: datetime | None
    finished_at: datetime | None


class Room(NamedTuple):
    """How many reactions may be taken: in all, of a device, and of those devices of which it is another number."""

    total: int
    per_device: int
    of_devices: Mapping[NasId, int]


async def wish(db: Connection, wishes: Sequence[Wish], *, patient: bool) -> int:
    """Queue wishes, each in place of one that waits for the same session; return how many are new.

    One that is being sent is not queued again; if ``patient``, nor is one that was tried within the last hour.
    """
    if not wishes:
        return 0
    return len(await db.fetch(WISH, *zip(*wishes, strict=True), patient, NOT_AGAIN_FOR))


async def find_wishes(db: Connection, isp_id: IspId, sessions: Collection[UUID]) -> dict[SessionId, bytes]:
    """Return what these sessions will have once their unfinished wishes are fulfilled."""
    return {SessionId(*row[:3]): row[3] for row in await db.fetch(FIND_WISHES, isp_id, list(sessions))}


async def ask(db: Connection, request: Request) -> int:
    """Queue what somebody asked for and return its id. It is not sent later than in a minute."""
    reaction_id: int = await db.fetchval(ASK, *request)
    return reaction_id


async def take(db: Connection, node: str, room: Room) -> list[Taken]:
    """Take what a node is to send now, in no order. Who takes it finishes or postpones it, within `LEASE_S`."""
    full = [device for device, free in room.of_devices.items() if free <= 0]
    rows = await db.fetch(
        TAKE,
        node,
        LEASE_S,
        full,
        list(room.of_devices),
        list(room.of_devices.values()),
        room.per_device,
        _LOOK_AHEAD,
        room.total,
    )
    return [Taken(*row)._replace(kind=Kind(row["kind"])) for row in rows]


async def finish(db: Connection, taken: Taken, state: State, tried: Tried) -> None:
    """Write how a reaction ended."""
    await db.execute(FINISH, taken.isp_id, taken.id, taken.attempts, state, *tried)


async def postpone(db: Connection, taken: Taken, tried: Tried, seconds: float) -> None:
    """Write what came of a try, and have it tried again; not if a newer wish for the session waits."""
    await db.execute(POSTPONE, taken.isp_id, taken.id, taken.attempts, *tried, seconds)


async def find(db: Connection, isp_id: IspId, ids: Collection[int]) -> list[Reaction]:
    """Return these reactions of an ISP, the oldest first."""
    return [_reaction(row) for row in await db.fetch(FIND, isp_id, list(ids))]


async def list_of_session(db: Connection, isp_id: IspId, session_id: UUID, limit: int = 50) -> list[Reaction]:
    """Return what was done to a session, the latest first."""
    return [_reaction(row) for row in await db.fetch(LIST_OF_SESSION, isp_id, session_id, limit)]


async def expire(db: Connection) -> int:
    """Give up what could not be sent in time; return how many."""
    count: int = await db.fetchval(EXPIRE, LEASE_S)
    return count


async def forget(db: Connection) -> int:
    """Delete what ended 30 days ago; return how many."""
    count: int = await db.fetchval(FORGET, KEPT)
    return count


def _reaction(row: Sequence[object]) -> Reaction:
    reaction = Reaction(*row)  # type: ignore[arg-type]  # columns in the order of the fields
    result = None if reaction.result is None else ReactionResult(reaction.result)
    return reaction._replace(kind=Kind(reaction.kind), state=State(reaction.state), result=result)
