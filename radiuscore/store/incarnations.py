"""The reports that `sessions.RECORD` leaves over: of another incarnation than the live one, of an archived session,
without Acct-Session-Time, or with nothing new. They are rare, so they are judged one by one, under a lock.

Whatever is found, the statement that counts octets is the same one: here only the right incarnation is put where it
looks. An older one is fetched from the history while the newer steps aside, and goes back when it is completed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from radiuscore.store.pool import Connection
from radiuscore.store.reports import Outcome, Recorded, Report, SessionKey

TOLERANCE_S: Final = 60  # how far two estimates of one session's start may be apart
_ROUNDS: Final = 5  # another writer may interfere once or twice, not for ever

LOCK_LIVE: Final = """
SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username_key
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[])
    AS k (isp_id, nas_id, acct_session_id, username_key)
  JOIN accounting.sessions AS s USING (isp_id, nas_id, acct_session_id, username_key)
 ORDER BY s.isp_id, s.nas_id, s.acct_session_id, s.username_key
   FOR UPDATE OF s
"""

# The live row, and the archived incarnation that began when the report says. It cannot have ended before that.
LOOK_BACK: Final = """
SELECT k.isp_id, k.nas_id, k.acct_session_id, k.username_key,
       s.start_estimate, s.session_time, s.input_counter, s.output_counter, s.statuses,
       h.stopped_at, h.id
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
    AS k (isp_id, nas_id, acct_session_id, username_key, start_estimate)
  LEFT JOIN accounting.sessions AS s USING (isp_id, nas_id, acct_session_id, username_key)
  LEFT JOIN LATERAL (
    SELECT h.stopped_at, h.id
      FROM accounting.session_history AS h
     WHERE h.isp_id = k.isp_id
       AND h.nas_id = k.nas_id
       AND h.acct_session_id = k.acct_session_id
       AND h.username_key = k.username_key
       AND h.stopped_at >= to_timestamp(k.start_estimate - 60)
       AND h.start_estimate BETWEEN k.start_estimate - 60 AND k.start_estimate + 60
     ORDER BY abs(h.start_estimate - k.start_estimate)
     LIMIT 1
  ) AS h ON true
"""

# Move live sessions to the history; what is open becomes closed, at its last report. A stopped one is there already.
ARCHIVE: Final = """
WITH gone AS (
  DELETE FROM accounting.sessions AS s
   USING unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[])
      AS k (isp_id, nas_id, acct_session_id, username_key, superseded_at)
   WHERE s.isp_id = k.isp_id
     AND s.nas_id = k.nas_id
     AND s.acct_session_id = k.acct_session_id
     AND s.username_key = k.username_key
  RETURNING s.*, k.superseded_at
)
INSERT INTO accounting.session_history (
  isp_id, nas_id, acct_session_id, username_key, id, customer_id, plan_id, username,
  closed_by, started_at, updated_at, stopped_at, closed_as_of, session_time,
  input_octets, output_octets, input_packets, output_packets, terminate_cause,
  framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
  nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type, service_type,
  event_timestamp, interim_interval_s, local_address, nas_address, node,
  start_estimate, input_counter, output_counter, statuses
)
SELECT isp_id, nas_id, acct_session_id, username_key, id, customer_id, plan_id, username,
       coalesce(closed_by, 'new_start'), started_at, updated_at,
       coalesce(stopped_at, updated_at), coalesce(closed_as_of, superseded_at), session_time,
       input_octets, output_octets, input_packets, output_packets, terminate_cause,
       framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
       nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type, service_type,
       event_timestamp, interim_interval_s, local_address, nas_address, node,
       start_estimate, input_counter, output_counter, statuses
  FROM gone
ON CONFLICT (isp_id, nas_id, acct_session_id, username_key, stopped_at, id) DO NOTHING
"""

# Make archived sessions live again, closed as they are. The history keeps those that a Stop ended.
RESTORE: Final = """
WITH restored AS (
  INSERT INTO accounting.sessions (
    isp_id, nas_id, acct_session_id, username_key, id, customer_id, plan_id, username,
    state, closed_by, started_at, updated_at, stopped_at, closed_at, closed_as_of, session_time,
    input_octets, output_octets, input_packets, output_packets, terminate_cause,
    framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
    nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type, service_type,
    event_timestamp, interim_interval_s, local_address, nas_address, node,
    start_estimate, input_counter, output_counter, statuses, state_before
  )
  SELECT h.isp_id, h.nas_id, h.acct_session_id, h.username_key, h.id, h.customer_id, h.plan_id, h.username,
         'closed', h.closed_by, h.started_at, h.updated_at, h.stopped_at, now(), h.closed_as_of, h.session_time,
         h.input_octets, h.output_octets, h.input_packets, h.output_packets, h.terminate_cause,
         h.framed_ip_address, h.framed_ipv6_prefix, h.delegated_ipv6_prefix, h.calling_station_id,
         h.called_station_id, h.nas_ip_address, h.nas_identifier, h.nas_port, h.nas_port_id, h.nas_port_type,
         h.service_type, h.event_timestamp, h.interim_interval_s, h.local_address, h.nas_address, h.node,
         h.start_estimate, h.input_counter, h.output_counter, h.statuses, 'closed'
    FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[])
      AS k (isp_id, nas_id, acct_session_id, username_key, stopped_at, id)
    JOIN accounting.session_history AS h USING (isp_id, nas_id, acct_session_id, username_key, stopped_at, id)
   ORDER BY 1, 2, 3, 4
  ON CONFLICT (isp_id, nas_id, acct_session_id, username_key) DO NOTHING
  RETURNING isp_id, nas_id, acct_session_id, username_key, stopped_at, id, closed_by
)
DELETE FROM accounting.session_history AS h
 USING restored AS r
 WHERE r.closed_by <> 'stop'
   AND h.isp_id = r.isp_id
   AND h.nas_id = r.nas_id
   AND h.acct_session_id = r.acct_session_id
   AND h.username_key = r.username_key
   AND h.stopped_at = r.stopped_at
   AND h.id = r.id
"""

SHIFT_START: Final = """
UPDATE accounting.sessions AS s
   SET start_estimate = k.start_estimate
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
    AS k (isp_id, nas_id, acct_session_id, username_key, start_estimate)
 WHERE s.isp_id = k.isp_id
   AND s.nas_id = k.nas_id
   AND s.acct_session_id = k.acct_session_id
   AND s.username_key = k.username_key
"""

# No NAS has a negative id, so this frees the key; done again with the negative id, it gives it back.
STEP_ASIDE: Final = """
UPDATE accounting.sessions AS s
   SET nas_id = -1 - s.nas_id
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[])
    AS k (isp_id, nas_id, acct_session_id, username_key)
 WHERE s.isp_id = k.isp_id
   AND s.nas_id = k.nas_id
   AND s.acct_session_id = k.acct_session_id
   AND s.username_key = k.username_key
"""


class Apply(Protocol):
    """`sessions.apply_reports`."""

    async def __call__(
        self, db: Connection, reports: Sequence[Report], node: str, *, looked_back: bool
    ) -> dict[SessionKey, Recorded]: ...


class Live(NamedTuple):
    """What the live row of a session knows of its incarnation. Times are seconds."""

    start_estimate: int
    session_time: int
    input_counter: int | None
    output_counter: int | None
    statuses: int

    @property
    def last_report(self) -> int:
        """When its last report was sent, seconds since 1970."""
        return self.start_estimate + self.session_time


class Archived(NamedTuple):
    """Where in the history an incarnation is."""

    stopped_at: datetime
    id: UUID


class Verdict(Enum):
    """To which incarnation a report belongs, as seen from the live one.

    ``SHIFTED`` is the live one too, but the NAS's clock of the session has leapt or stood still.
    """

    SAME = "same"
    SHIFTED = "shifted"
    NEWER = "newer"
    OLDER = "older"


class Unsettled(RuntimeError):
    """Other writers changed the same sessions over and over; nothing was lost, and doing it again is safe."""


def judge(report: Report, live: Live, archived: Archived | None) -> Verdict:
    """Tell which incarnation a report belongs to.

    A session that begins elsewhere in time is another one only where that is possible: a newer one begins after the
    last report of the live one, and an older one has reported before the live one began, or is known to be archived.
    Everything else is a clock that leaps: a router's at its first NTP answer, or one that stands still while idle.
    """
    later_by = report.start_estimate - live.start_estimate
    if abs(later_by) <= TOLERANCE_S:
        return Verdict.SAME
    if later_by > 0:
        return Verdict.NEWER if report.start_estimate >= live.last_report - TOLERANCE_S else Verdict.SHIFTED
    sent_before = report.sent_at.timestamp() < live.start_estimate
    return Verdict.OLDER if sent_before or archived is not None else Verdict.SHIFTED


def in_time_of(report: Report, live: Live | None) -> Report:
    """Return a report with a session time: where the NAS sent none, what our clock says of the stored session.

    Counters behind the stored ones mean that the report was overtaken, so that it does not count as a later one.
    """
    if report.session_time is not None:
        return report
    if live is None:
        return report._replace(session_time=0)
    overtaken = _exceeds(live.input_counter, report.input_octets) or _exceeds(live.output_counter, report.output_octets)
    elapsed = 0 if overtaken else int(report.sent_at.timestamp()) - live.start_estimate
    return report._replace(start_estimate=live.start_estimate, session_time=max(live.session_time, elapsed))


def brings_news(report: Report, live: Live) -> bool:
    """Tell whether a report of the live incarnation changes it; the condition is that of `sessions.RECORD`."""
    session_time = report.session_time or 0
    if session_time > live.session_time or report.status & ~live.statuses:
        return True
    return session_time == live.session_time and (
        _exceeds(report.input_octets, -1 if live.input_counter is None else live.input_counter)
        or _exceeds(report.output_octets, -1 if live.output_counter is None else live.output_counter)
    )


async def settle(db: Connection, reports: Sequence[Report], node: str, apply: Apply) -> dict[SessionKey, Recorded]:
    """Apply reports that are not simply the next of their live session; sorted by key, at most one of each.

    Returns what became of each. Raises `Unsettled` when other writers keep interfering. What is live is locked in one
    transaction, what is not is made outside of it: nothing waits for a row while others wait for its locks.
    """
    recorded: dict[SessionKey, Recorded] = {}
    pending = list(reports)
    for _ in range(_ROUNDS):
        async with db.transaction():
            locked = {tuple(row) for row in await db.fetch(LOCK_LIVE, *_keys(pending))}
            live, archived = await _look_back(db, pending)
            of_live = [in_time_of(report, live[report.key]) for report in pending if report.key in locked]
            recorded |= await _apply_to_live(db, of_live, live, archived, node, apply)
        absent = [report for report in pending if report.key not in live]
        await _restore(db, absent, archived)
        unknown = [in_time_of(report, None) for report in absent if report.key not in archived]
        recorded |= await apply(db, unknown, node, looked_back=True)
        # Left over: what has just been restored, and what another writer has made live meanwhile.
        pending = [report for report in pending if report.key not in recorded]
        if not pending:
            return recorded
    raise Unsettled(f"{len(pending)} sessions")


async def _apply_to_live(
    db: Connection,
    reports: Sequence[Report],
    live: Mapping[SessionKey, Live],
    archived: Mapping[SessionKey, Archived],
    node: str,
    apply: Apply,
) -> dict[SessionKey, Recorded]:
    """Apply reports of locked sessions, each to its incarnation, and return what became of every one of them."""
    groups: dict[Verdict, list[Report]] = {verdict: [] for verdict in Verdict}
    for report in reports:
        groups[judge(report, live[report.key], archived.get(report.key))].append(report)
    older = groups[Verdict.OLDER]
    await _archive(db, groups[Verdict.NEWER])
    await _shift(db, groups[Verdict.SHIFTED])
    await _step_aside(db, older)
    await _restore(db, groups[Verdict.NEWER] + older, archived)
    stale = {report.key for report in groups[Verdict.SAME] if not brings_news(report, live[report.key])}
    recorded = await apply(db, [report for report in reports if report.key not in stale], node, looked_back=True)
    await _archive(db, older)
    await _step_aside(db, [report._replace(nas_id=-1 - report.nas_id) for report in older])
    for report in older:
        if (late := recorded.get(report.key)) is not None:
            recorded[report.key] = late._replace(outcome=Outcome.LATE, state="closed", opened=False, closed=False)
    return {report.key: recorded.get(report.key, Recorded(report.key, Outcome.DUPLICATE)) for report in reports}


async def _look_back(
    db: Connection, reports: Sequence[Report]
) -> tuple[dict[SessionKey, Live], Mapping[SessionKey, Archived]]:
    """Read the live rows and the history, with what was committed until this moment."""
    live: dict[SessionKey, Live] = {}
    archived: dict[SessionKey, Archived] = {}
    for row in await db.fetch(LOOK_BACK, *_keys(reports), [report.start_estimate for report in reports]):
        key: SessionKey = (row["isp_id"], row["nas_id"], row["acct_session_id"], row["username_key"])
        if row["start_estimate"] is not None:
            live[key] = Live(*row[4:9])
        if row["id"] is not None:
            archived[key] = Archived(*row[9:11])
    return live, archived


async def _archive(db: Connection, reports: Sequence[Report]) -> None:
    """Move the live sessions that reports of others have superseded to the history."""
    if reports:
        await db.execute(ARCHIVE, *_keys(reports), [report.sent_at for report in reports])


async def _shift(db: Connection, reports: Sequence[Report]) -> None:
    if reports:
        await db.execute(SHIFT_START, *_keys(reports), [report.start_estimate for report in reports])


async def _step_aside(db: Connection, reports: Sequence[Report]) -> None:
    if reports:
        await db.execute(STEP_ASIDE, *_keys(reports))


async def _restore(db: Connection, reports: Sequence[Report], archived: Mapping[SessionKey, Archived]) -> None:
    """Make those of the reports' sessions live that are archived."""
    known = [report for report in reports if report.key in archived]
    if known:
        await db.execute(
            RESTORE,
            *_keys(known),
            [archived[report.key].stopped_at for report in known],
            [archived[report.key].id for report in known],
        )


def _keys(reports: Sequence[Report]) -> tuple[list[int], list[int], list[str], list[str]]:
    return (
        [report.isp_id for report in reports],
        [report.nas_id for report in reports],
        [report.acct_session_id for report in reports],
        [report.username_key for report in reports],
    )


def _exceeds(counter: int | None, other: int | None) -> bool:
    return counter is not None and other is not None and counter > other
