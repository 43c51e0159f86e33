"""Recording what NASes report of sessions: one statement per batch, and the same totals in whatever order it comes.

Everything here may be done again and changes nothing then: a writer that does not know whether a batch was committed
sends it once more. Octets are counted once, where the row of their session is changed, and nowhere else.
"""

from collections.abc import Sequence
from typing import Any, Final

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.store.endings import end_displaced, end_restarted
from radiuscore.store.incarnations import settle
from radiuscore.store.pool import Connection
from radiuscore.store.reports import START, Outcome, Recorded, Report, SessionKey, report_of, session_key

__all__ = ["Outcome", "Recorded", "SessionKey", "record", "restart_of_nas", "session_key"]

# Parameters: the fields of `Report` as arrays, one report per session and sorted by key, so that two writers lock rows
# in the same order; then the node, and whether the history has been asked about sessions that are not live.
#
# 60 s is how far two estimates of one session's start may be apart. A report of another incarnation, and one that
# brings nothing new, change nothing and are not returned. 4611686018427387903 is MAX_OCTETS.
RECORD: Final = """
WITH report AS (
  SELECT *
    FROM unnest(
      $1::int[], $2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::text[],
      $9::smallint[], $10::timestamptz[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
      $16::bigint[], $17::bigint[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[],
      $24::text[], $25::bigint[], $26::text[], $27::bigint[], $28::bigint[], $29::timestamptz[], $30::int[],
      $31::text[], $32::text[], $33::bytea[], $34::timestamptz[], $35::date[], $36::text[], $37::date[]
    ) AS report (
      isp_id, nas_id, acct_session_id, username_key, id, customer_id, plan_id, username,
      status, sent_at, start_estimate, session_time, input_octets, output_octets, input_packets,
      output_packets, terminate_cause, framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix,
      calling_station_id, called_station_id, nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type,
      service_type, event_timestamp, interim_interval_s, local_address, nas_address, granted, hour, day, period,
      period_start
    )
),
applied AS (
  INSERT INTO accounting.sessions AS s (
    isp_id, nas_id, acct_session_id, username_key, id, customer_id, plan_id, username,
    state, closed_by, started_at, updated_at, stopped_at, closed_at, closed_as_of, session_time,
    input_octets, output_octets, input_packets, output_packets, terminate_cause,
    framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
    nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type, service_type,
    event_timestamp, interim_interval_s, local_address, nas_address, granted, node,
    start_estimate, input_counter, output_counter, statuses,
    delta_input_octets, delta_output_octets, delta_session_time
  )
  SELECT r.isp_id, r.nas_id, r.acct_session_id, r.username_key, r.id, r.customer_id, r.plan_id, r.username,
         CASE r.status WHEN 2 THEN 'closed' ELSE 'open' END, CASE r.status WHEN 2 THEN 'stop' END,
         r.sent_at - r.session_time * interval '1 second', r.sent_at,
         CASE r.status WHEN 2 THEN r.sent_at END, CASE r.status WHEN 2 THEN now() END,
         CASE r.status WHEN 2 THEN r.sent_at END, r.session_time,
         coalesce(r.input_octets, 0), coalesce(r.output_octets, 0), r.input_packets, r.output_packets,
         r.terminate_cause, r.framed_ip_address::inet, r.framed_ipv6_prefix::cidr, r.delegated_ipv6_prefix::cidr,
         r.calling_station_id, r.called_station_id, r.nas_ip_address::inet, r.nas_identifier, r.nas_port,
         r.nas_port_id, r.nas_port_type, r.service_type, r.event_timestamp, r.interim_interval_s,
         r.local_address::inet, r.nas_address::inet, r.granted, $38, r.start_estimate, r.input_octets, r.output_octets,
         r.status,
         coalesce(r.input_octets, 0), coalesce(r.output_octets, 0), r.session_time
    FROM report AS r
   -- What began long ago and is not live, or not for long any more, may be archived before this is through: it is not
   -- inserted before the history has been asked.
   WHERE $39
      OR to_timestamp(r.start_estimate) > now() - interval '23 hours'
      OR (SELECT live.state <> 'closed' OR live.closed_at > now() - interval '23 hours'
            FROM accounting.sessions AS live
           WHERE live.isp_id = r.isp_id
             AND live.nas_id = r.nas_id
             AND live.acct_session_id = r.acct_session_id
             AND live.username_key = r.username_key)
  ON CONFLICT (isp_id, nas_id, acct_session_id, username_key) DO UPDATE
  SET (customer_id, plan_id, state, closed_by, terminate_cause, started_at, updated_at, stopped_at, closed_at,
       closed_as_of, session_time, input_octets, output_octets, input_packets, output_packets,
       framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
       nas_port, nas_port_id, event_timestamp, interim_interval_s, local_address, nas_address, granted, node,
       start_estimate, input_counter, output_counter, statuses,
       state_before, delta_input_octets, delta_output_octets, delta_session_time) = (
    SELECT coalesce(s.customer_id, excluded.customer_id),
           CASE WHEN is_later THEN coalesce(excluded.plan_id, s.plan_id) ELSE s.plan_id END,
           CASE WHEN is_stop THEN 'closed' WHEN lives THEN 'open' ELSE s.state END,
           CASE WHEN is_stop THEN 'stop' WHEN NOT lives THEN s.closed_by END,
           CASE WHEN was_stopped THEN s.terminate_cause WHEN is_stop THEN excluded.terminate_cause
                WHEN NOT lives THEN s.terminate_cause END,
           CASE excluded.statuses WHEN 1 THEN excluded.started_at ELSE s.started_at END,
           CASE WHEN is_later THEN excluded.updated_at ELSE s.updated_at END,
           -- The first Stop says when, else the latest report; what closed the session is forgotten when it lives on.
           CASE WHEN was_stopped THEN s.stopped_at WHEN is_stop THEN excluded.stopped_at
                WHEN s.state = 'closed' AND NOT lives
                THEN CASE WHEN is_later THEN excluded.updated_at ELSE s.stopped_at END END,
           CASE WHEN was_stopped THEN s.closed_at WHEN is_stop THEN excluded.closed_at
                WHEN NOT lives THEN s.closed_at END,
           CASE WHEN was_stopped THEN s.closed_as_of WHEN is_stop THEN excluded.closed_as_of
                WHEN NOT lives THEN s.closed_as_of END,
           greatest(s.session_time, excluded.session_time),
           least(s.input_octets + input_delta, 4611686018427387903),
           least(s.output_octets + output_delta, 4611686018427387903),
           CASE WHEN is_later THEN coalesce(excluded.input_packets, s.input_packets)
                ELSE greatest(s.input_packets, excluded.input_packets) END,
           CASE WHEN is_later THEN coalesce(excluded.output_packets, s.output_packets)
                ELSE greatest(s.output_packets, excluded.output_packets) END,
           -- What may change while a session lasts is taken from its latest report, what cannot from the first.
           CASE WHEN is_later THEN coalesce(excluded.framed_ip_address, s.framed_ip_address)
                ELSE coalesce(s.framed_ip_address, excluded.framed_ip_address) END,
           CASE WHEN is_later THEN coalesce(excluded.framed_ipv6_prefix, s.framed_ipv6_prefix)
                ELSE coalesce(s.framed_ipv6_prefix, excluded.framed_ipv6_prefix) END,
           CASE WHEN is_later THEN coalesce(excluded.delegated_ipv6_prefix, s.delegated_ipv6_prefix)
                ELSE coalesce(s.delegated_ipv6_prefix, excluded.delegated_ipv6_prefix) END,
           coalesce(s.calling_station_id, excluded.calling_station_id),
           coalesce(s.called_station_id, excluded.called_station_id),
           coalesce(s.nas_port, excluded.nas_port),
           coalesce(s.nas_port_id, excluded.nas_port_id),
           CASE WHEN is_later THEN coalesce(excluded.event_timestamp, s.event_timestamp) ELSE s.event_timestamp END,
           CASE WHEN is_later THEN coalesce(excluded.interim_interval_s, s.interim_interval_s)
                ELSE s.interim_interval_s END,
           coalesce(excluded.local_address, s.local_address),
           coalesce(excluded.nas_address, s.nas_address),
           coalesce(s.granted, excluded.granted),
           excluded.node,
           CASE WHEN is_later THEN excluded.start_estimate ELSE s.start_estimate END,
           CASE WHEN is_later THEN coalesce(excluded.input_counter, s.input_counter)
                WHEN is_earlier THEN s.input_counter
                ELSE greatest(s.input_counter, excluded.input_counter) END,
           CASE WHEN is_later THEN coalesce(excluded.output_counter, s.output_counter)
                WHEN is_earlier THEN s.output_counter
                ELSE greatest(s.output_counter, excluded.output_counter) END,
           s.statuses | excluded.statuses,
           s.state, input_delta, output_delta, greatest(excluded.session_time - s.session_time, 0)
      FROM (SELECT excluded.session_time > s.session_time AS is_later,
                   excluded.session_time < s.session_time AS is_earlier,
                   excluded.statuses = 2 AS is_stop,
                   s.statuses & 2 <> 0 AS was_stopped,
                   -- A report that is later proves that the session lives, unless a Stop ended it, or what closed it
                   -- happened after the report was sent. Silence is no such proof.
                   excluded.session_time > s.session_time
                     AND (s.state <> 'closed'
                          OR s.closed_by = 'lost'
                          OR s.closed_by <> 'stop' AND excluded.updated_at > s.closed_as_of) AS lives,
                   -- A counter that goes back while time goes on began anew. Overtaken reports count nothing.
                   CASE WHEN excluded.input_counter IS NULL OR excluded.session_time < s.session_time THEN 0
                        WHEN excluded.input_counter >= coalesce(s.input_counter, 0)
                        THEN excluded.input_counter - coalesce(s.input_counter, 0)
                        WHEN excluded.session_time > s.session_time THEN excluded.input_counter
                        ELSE 0 END AS input_delta,
                   CASE WHEN excluded.output_counter IS NULL OR excluded.session_time < s.session_time THEN 0
                        WHEN excluded.output_counter >= coalesce(s.output_counter, 0)
                        THEN excluded.output_counter - coalesce(s.output_counter, 0)
                        WHEN excluded.session_time > s.session_time THEN excluded.output_counter
                        ELSE 0 END AS output_delta
           ) AS news
  )
  WHERE excluded.start_estimate BETWEEN s.start_estimate - 60 AND s.start_estimate + 60
    AND (excluded.session_time > s.session_time
         OR excluded.statuses & ~s.statuses <> 0
         OR excluded.session_time = s.session_time
            AND (excluded.input_counter > coalesce(s.input_counter, -1)
                 OR excluded.output_counter > coalesce(s.output_counter, -1)))
  RETURNING s.*
),
history AS (
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
         closed_by, started_at, updated_at, stopped_at, closed_as_of, session_time,
         input_octets, output_octets, input_packets, output_packets, terminate_cause,
         framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
         nas_ip_address, nas_identifier, nas_port, nas_port_id, nas_port_type, service_type,
         event_timestamp, interim_interval_s, local_address, nas_address, node,
         start_estimate, input_counter, output_counter, statuses
    FROM applied
   WHERE closed_by = 'stop'
  ON CONFLICT (isp_id, nas_id, acct_session_id, username_key, stopped_at, id) DO UPDATE
  SET (customer_id, plan_id, started_at, updated_at, session_time,
       input_octets, output_octets, input_packets, output_packets,
       framed_ip_address, framed_ipv6_prefix, delegated_ipv6_prefix, calling_station_id, called_station_id,
       nas_port, nas_port_id, event_timestamp, interim_interval_s, local_address, nas_address, node,
       start_estimate, input_counter, output_counter, statuses) = (
       excluded.customer_id, excluded.plan_id, excluded.started_at, excluded.updated_at, excluded.session_time,
       excluded.input_octets, excluded.output_octets, excluded.input_packets, excluded.output_packets,
       excluded.framed_ip_address, excluded.framed_ipv6_prefix, excluded.delegated_ipv6_prefix,
       excluded.calling_station_id, excluded.called_station_id, excluded.nas_port, excluded.nas_port_id,
       excluded.event_timestamp, excluded.interim_interval_s, excluded.local_address, excluded.nas_address,
       excluded.node,
       excluded.start_estimate, excluded.input_counter, excluded.output_counter, excluded.statuses)
),
added AS (
  SELECT applied.isp_id, applied.customer_id, report.hour, report.day, report.period, report.period_start,
         applied.delta_input_octets, applied.delta_output_octets, applied.delta_session_time
    FROM applied
    JOIN report USING (isp_id, nas_id, acct_session_id, username_key)
   WHERE applied.customer_id IS NOT NULL
     AND (applied.delta_input_octets <> 0 OR applied.delta_output_octets <> 0 OR applied.delta_session_time <> 0)
),
by_hour AS (
  INSERT INTO accounting.usage_hour AS u (isp_id, customer_id, hour, input_octets, output_octets, session_time)
  SELECT isp_id, customer_id, hour, least(sum(delta_input_octets), 4611686018427387903),
         least(sum(delta_output_octets), 4611686018427387903), sum(delta_session_time)
    FROM added
   GROUP BY isp_id, customer_id, hour
   ORDER BY isp_id, customer_id, hour
  ON CONFLICT (isp_id, customer_id, hour) DO UPDATE
  SET input_octets = least(u.input_octets + excluded.input_octets, 4611686018427387903),
      output_octets = least(u.output_octets + excluded.output_octets, 4611686018427387903),
      session_time = u.session_time + excluded.session_time
),
by_day AS (
  INSERT INTO accounting.usage_day AS u (isp_id, customer_id, day, input_octets, output_octets, session_time)
  SELECT isp_id, customer_id, day, least(sum(delta_input_octets), 4611686018427387903),
         least(sum(delta_output_octets), 4611686018427387903), sum(delta_session_time)
    FROM added
   GROUP BY isp_id, customer_id, day
   ORDER BY isp_id, customer_id, day
  ON CONFLICT (isp_id, customer_id, day) DO UPDATE
  SET input_octets = least(u.input_octets + excluded.input_octets, 4611686018427387903),
      output_octets = least(u.output_octets + excluded.output_octets, 4611686018427387903),
      session_time = u.session_time + excluded.session_time
),
by_period AS (
  INSERT INTO accounting.usage_period AS u (
    isp_id, customer_id, period, period_start, input_octets, output_octets, session_time
  )
  SELECT isp_id, customer_id, period, period_start, least(sum(delta_input_octets), 4611686018427387903),
         least(sum(delta_output_octets), 4611686018427387903), sum(delta_session_time)
    FROM added
   GROUP BY isp_id, customer_id, period, period_start
   ORDER BY isp_id, customer_id, period, period_start
  ON CONFLICT (isp_id, customer_id, period, period_start) DO UPDATE
  SET input_octets = least(u.input_octets + excluded.input_octets, 4611686018427387903),
      output_octets = least(u.output_octets + excluded.output_octets, 4611686018427387903),
      session_time = u.session_time + excluded.session_time,
      changed_at = now()
)
SELECT isp_id, nas_id, acct_session_id, username_key, id, customer_id,
       delta_input_octets, delta_output_octets, delta_session_time, state, state_before
  FROM applied
"""


async def record(db: Connection, events: Sequence[AccountingEvent], *, node: str = "") -> list[Recorded]:
    """Record Starts, Stops and Interim-Updates, at most one of each session, and return what each of them changed.

    The first results are in the order of ``events``; sessions follow that their Starts prove to be gone. ``node`` is
    where they arrived. One statement, and a second where there are Starts; only for reports of other incarnations,
    of archived sessions, without Acct-Session-Time, or that say nothing new, a few more. Committed when it returns,
    unless the caller has a transaction.
    """
    reports = sorted(map(report_of, events), key=_key)
    timed = [report for report in reports if report.session_time is not None]
    recorded = await apply_reports(db, timed, node, looked_back=False)
    unsettled = [report for report in reports if report.key not in recorded]
    if unsettled:
        recorded |= await settle(db, unsettled, node, apply_reports)
    ended = await end_displaced(db, [report for report in reports if report.status == START])
    return [recorded[session_key(event)] for event in events] + ended


async def restart_of_nas(db: Connection, events: Sequence[AccountingEvent]) -> list[Recorded]:
    """Close what the NASes of Accounting-On and -Off events had open before, and return those sessions.

    At most one event per NAS. A session that reports again afterwards is open again.
    """
    return await end_restarted(db, events)


async def apply_reports(
    db: Connection, reports: Sequence[Report], node: str, *, looked_back: bool
) -> dict[SessionKey, Recorded]:
    """Run `RECORD` and return what was applied. Reports are sorted by key and have a session time."""
    if not reports:
        return {}
    rows = await db.fetch(RECORD, *zip(*reports, strict=True), node, looked_back)
    recorded = map(_recorded, rows)
    return {one.key: one for one in recorded}


def _recorded(row: Any) -> Recorded:
    state, state_before = row["state"], row["state_before"]
    return Recorded(
        (row["isp_id"], row["nas_id"], row["acct_session_id"], row["username_key"]),
        Outcome.APPLIED,
        row["id"],
        row["customer_id"],
        row["delta_input_octets"],
        row["delta_output_octets"],
        row["delta_session_time"],
        state,
        opened=state_before is None or (state_before == "closed" and state == "open"),
        closed=state == "closed" and state_before != "closed",
    )


def _key(report: Report) -> SessionKey:
    return report[:4]
