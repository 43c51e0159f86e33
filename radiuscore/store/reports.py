"""An accounting event as the row that goes to PostgreSQL: every value bounded, every time told by the server's clock.

Nothing that a NAS can send is refused by a column: one bad value would stop the batch it travels in.
"""

from collections.abc import Hashable
from datetime import UTC, date, datetime, tzinfo
from enum import Enum
from functools import lru_cache
from os import urandom
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.periods import local_day, local_hour, period_start
from radiuscore.aaa.records import CustomerId, IspId, NasId, PlanId, QuotaPeriod

START: Final = 1  # one bit for each Acct-Status-Type that speaks of a session; a row has those that were seen
STOP: Final = 2
INTERIM: Final = 4

MAX_OCTETS: Final = 2**62 - 1  # half of what a bigint holds, so that adding two of them cannot overflow
MAX_UNSIGNED: Final = 2**32 - 1  # the largest integer of an attribute
MAX_DELAY_S: Final = 7 * 86_400  # a longer Acct-Delay-Time is no delay but a fault, and the time of arrival counts

SessionKey: TypeAlias = tuple[IspId, NasId, str, str]


class Report(NamedTuple):
    """What one Start, Interim-Update or Stop says. The fields are the parameters of `sessions.RECORD`, in order.

    ``status`` is one of `START`, `STOP`, `INTERIM`. ``sent_at`` is when the NAS sent it by the server's clock.
    ``start_estimate`` tells incarnations of a reused Acct-Session-Id apart: seconds since 1970 when the session began;
    where the NAS sent no Acct-Session-Time it is ``sent_at`` and ``session_time`` is ``None``. ``hour``, ``day`` and
    ``period_start`` are the ISP's local ones.
    """

    isp_id: IspId
    nas_id: NasId
    acct_session_id: str
    username_key: str
    id: UUID
    customer_id: CustomerId | None
    plan_id: PlanId | None
    username: str
    status: int
    sent_at: datetime
    start_estimate: int
    session_time: int | None
    input_octets: int | None
    output_octets: int | None
    input_packets: int | None
    output_packets: int | None
    terminate_cause: int | None
    framed_ip_address: str | None
    framed_ipv6_prefix: str | None
    delegated_ipv6_prefix: str | None
    calling_station_id: str | None
    called_station_id: str | None
    nas_ip_address: str | None
    nas_identifier: str | None
    nas_port: int | None
    nas_port_id: str | None
    nas_port_type: int | None
    service_type: int | None
    event_timestamp: datetime | None
    interim_interval_s: int | None
    local_address: str | None
    nas_address: str | None
    granted: bytes | None
    hour: datetime
    day: date
    period: QuotaPeriod
    period_start: date

    @property
    def key(self) -> SessionKey:
        """The key of the live session that this speaks of."""
        return self[:4]


class Outcome(Enum):
    """What became of a report.

    ``DUPLICATE``: it says nothing that was not known. ``LATE``: it was of an older incarnation of its session, whose
    history and usage it completed. ``ENDED``: no report, but a session that others prove to be gone.
    """

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    LATE = "late"
    ENDED = "ended"


class Recorded(NamedTuple):
    """What a report changed. Octets and ``session_time`` (seconds) are what it added; the rest is how it is now.

    ``state`` is ``open``, ``suspect``, ``closed``, or empty where nothing was changed. ``opened``: it is a new session,
    or one that was taken for lost. ``closed``: it was not closed before.
    """

    key: SessionKey
    outcome: Outcome
    id: UUID | None = None
    customer_id: CustomerId | None = None
    input_octets: int = 0
    output_octets: int = 0
    session_time: int = 0
    state: str = ""
    opened: bool = False
    closed: bool = False


def session_key(event: AccountingEvent) -> SessionKey:
    """Return the key of the live session that an event speaks of. A batch has at most one event of each."""
    return event.isp_id, event.nas_id, event.acct_session_id, event.username_key


def sent_at(event: AccountingEvent) -> float:
    """Return when the NAS sent an event, by the server's clock: seconds since 1970."""
    delay = event.delay_time if 0 < event.delay_time <= MAX_DELAY_S else 0
    return min(max(event.received_at - delay, 0.0), float(MAX_UNSIGNED))


def report_of(event: AccountingEvent) -> Report:
    """Return a Start, Stop or Interim-Update as the row that is written."""
    sent = sent_at(event)
    status = 1 << (event.status - 1)
    # A Start without a session time says zero. From others it is a question that only the stored session can answer.
    session_time = _bounded(event.session_time, MAX_UNSIGNED)
    if status == START:
        session_time = session_time or 0
    start_estimate = int(sent) - (session_time or 0)
    hour, day, period_began = _local(int(sent) // 60, event.zone, event.quota_period, event.quota_anchor_day)
    return Report(
        event.isp_id,
        event.nas_id,
        event.acct_session_id,
        event.username_key,
        UUID(bytes=event.session_uuid) if event.session_uuid is not None else UUID(bytes=urandom(16), version=4),
        event.customer_id,
        event.plan_id,
        event.username,
        status,
        datetime.fromtimestamp(sent, UTC),
        start_estimate,
        session_time,
        _bounded(event.input_octets, MAX_OCTETS),
        _bounded(event.output_octets, MAX_OCTETS),
        _bounded(event.input_packets, MAX_OCTETS),
        _bounded(event.output_packets, MAX_OCTETS),
        _bounded(event.terminate_cause, MAX_UNSIGNED),
        _text(event.framed_ip_address),
        _text(event.framed_ipv6_prefix),
        _text(event.delegated_ipv6_prefix),
        event.calling_station_id,
        event.called_station_id,
        _text(event.nas_ip_address),
        event.nas_identifier,
        _bounded(event.nas_port, MAX_UNSIGNED),
        event.nas_port_id,
        _bounded(event.nas_port_type, MAX_UNSIGNED),
        _bounded(event.service_type, MAX_UNSIGNED),
        _time(_bounded(event.event_timestamp, MAX_UNSIGNED)),
        _bounded(event.interim_interval_s, MAX_UNSIGNED // 2) or None,
        event.local_address,
        event.nas_address,
        event.granted,
        hour,
        day,
        event.quota_period,
        period_began,
    )


@lru_cache(maxsize=4096)
def _local(minute: int, zone: tzinfo, period: QuotaPeriod, anchor_day: int) -> tuple[datetime, date, date]:
    """Return the local hour, day and start of the period of a minute: a batch has few of them and many records."""
    day = local_day(minute * 60, zone)
    return local_hour(minute * 60, zone), day, period_start(day, period, anchor_day)


def _bounded(value: int | None, limit: int) -> int | None:
    return None if value is None else 0 if value < 0 else value if value < limit else limit


def _text(address: Hashable) -> str | None:
    return None if address is None else str(address)


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
