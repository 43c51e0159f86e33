"""One customer looked at closely: what he would get and why, his sessions, what he used."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from time import time as now_s
from typing import Final

from mgmt.api.insight import list_sessions
from mgmt.api.schemas.customer_insight import (
    CustomerSessionQuery,
    DisplacedShown,
    ExplanationShown,
    Question,
    RemedyShown,
    UsageQuery,
    UsageReport,
    UsageShown,
)
from mgmt.api.schemas.insight import SessionQuery
from mgmt.call import Answer, Call
from mgmt.problems import Problem, invalid
from mgmt.store import customer_records, customer_situations
from mgmt.store.customer_situations import Account
from radiuscore.aaa.cures import Remedy
from radiuscore.aaa.explain import Explanation, explain
from radiuscore.aaa.names import parse_mac
from radiuscore.aaa.situation import OnlineSession, Situation
from radiuscore.store.session_queries import Session, find_online
from radiuscore.store.usage import find_days, find_hours
from radiuscore.wire.codes import Code
from radiuscore.wire.packet import HEADER_LENGTH, decode
from radiuscore.wire.registry import describe

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_USUAL: Final = {"hour": 24 * _HOUR, "day": 31 * _DAY}
_LONGEST: Final = {"hour": 31 * _DAY, "day": 400 * _DAY}


async def explain_customer(call: Call, body: Question) -> Answer:
    """Say what a customer would get who logs in, why, and what would have to change. His password is taken as right."""
    customer_id = call.id()
    async with call.transaction() as db:
        isp_id = await call.isp_of_row(db, customer_records.FIND_ISP, customer_id)
        account = await customer_situations.find_account(db, call.services.keyring, isp_id, customer_id)
        if account is None:
            raise Problem("not_found")
        if account.customer is None:
            raise Problem(
                "conflict", "The password was sealed with a key that this server does not have: set it again."
            )
        asked = () if body.nas is None else (body.nas,)
        if len(await customer_situations.find_device_names(db, isp_id, asked)) < len(asked):
            raise invalid("nas", "there is no such row", code="unknown_reference")
    async with call.accounting() as db:
        sessions = await find_online(db, isp_id, customer_id)
    names: dict[int, str] = {}
    if sessions:
        async with call.transaction() as db:
            names = await customer_situations.find_device_names(db, isp_id, {session.nas_id for session in sessions})
    explanation = explain(_situation(account, body, [_online(session, names) for session in sessions]))
    return Answer(_explanation_shown(explanation))


async def list_customer_sessions(call: Call, query: CustomerSessionQuery) -> Answer:
    """List a customer's sessions, the newest first."""
    customer_id = call.id()
    async with call.transaction() as db:
        isp_id = await call.isp_of_row(db, customer_records.FIND_ISP, customer_id)
        if await db.fetchval(customer_situations.FIND_KEY, isp_id, customer_id) is None:
            raise Problem("not_found")
    given = query.model_dump(by_alias=True)
    return await list_sessions(call, SessionQuery(isp_id=isp_id, customer_id=customer_id, **given))


async def show_customer_usage(call: Call, query: UsageQuery) -> Answer:
    """Show what a customer used, by hour or day of the ISP's local time."""
    customer_id = call.id()
    async with call.transaction() as db:
        isp_id = await call.isp_of_row(db, customer_records.FIND_ISP, customer_id)
        isp = await customer_situations.find_isp(db, isp_id, customer_id)
    if isp is None:
        raise Problem("not_found")
    begin, end = _span(query, isp.zone)
    async with call.accounting() as db:
        if query.step == "hour":
            hours = await find_hours(db, isp_id, customer_id, begin, end)
            items = [UsageShown(begin=hour.astimezone(isp.zone), **_amounts(*used)) for hour, *used in hours]
        else:
            days = await find_days(db, isp_id, customer_id, begin.date(), end.date())
            items = [UsageShown(begin=_midnight(day, isp.zone), **_amounts(*used)) for day, *used in days]
    total = _amounts(
        sum(item.input_octets for item in items),
        sum(item.output_octets for item in items),
        sum(item.session_time for item in items),
    )
    return Answer(
        UsageReport(
            isp_id=isp_id,
            customer_id=customer_id,
            step=query.step,
            time_zone=str(isp.zone),
            begin=begin,
            end=end,
            items=items,
            **total,
        )
    )


def _amounts(input_octets: int, output_octets: int, session_time: int) -> dict[str, int]:
    return {"input_octets": input_octets, "output_octets": output_octets, "session_time": session_time}


def _span(query: UsageQuery, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the beginnings of the first step and of the one after the last, in local time. Raises `Problem`."""
    last = query.end or datetime.now(UTC)
    first = query.begin or last - _USUAL[query.step]
    if first >= last:
        raise invalid("from", "must be before the end", where="query")
    if last - first > _LONGEST[query.step]:
        days = _LONGEST[query.step].days
        raise invalid("from", f"must be at most {days} days before the end", code="range_too_long", where="query")
    begin = _step_of(first, query.step, zone)
    end = _step_of(last, query.step, zone)
    if end.astimezone(UTC) < last:
        # An hour later by the clock on the wall is not always an hour later.
        end = (
            (end.astimezone(UTC) + _HOUR).astimezone(zone)
            if query.step == "hour"
            else _midnight(end.date() + _DAY, zone)
        )
    return begin, end


def _step_of(moment: datetime, step: str, zone: tzinfo) -> datetime:
    local = moment.astimezone(zone)
    return local.replace(minute=0, second=0, microsecond=0) if step == "hour" else _midnight(local.date(), zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _situation(account: Account, body: Question, online: list[OnlineSession]) -> Situation:
    return Situation(
        isp=account.isp,
        customer=account.customer,
        plan=account.plan,
        at=now_s() if body.at is None else body.at.timestamp(),
        nas_id=body.nas,
        mac=None if body.mac is None else parse_mac(body.mac),
        online=tuple(online),
    )


def _online(session: Session, names: dict[int, str]) -> OnlineSession:
    mac = parse_mac(session.calling_station_id) if session.calling_station_id else None
    name = names.get(session.nas_id, f"device {session.nas_id}")
    return OnlineSession(session.acct_session_id, session.nas_id, name, mac, session.started_at.timestamp())


def _explanation_shown(explanation: Explanation) -> ExplanationShown:
    displaced = explanation.displaced
    return ExplanationShown(
        accepted=explanation.accepted,
        rule=explanation.rule,
        sentence=explanation.sentence,
        standing=None if explanation.standing is None else explanation.standing.value,
        session_timeout_s=explanation.session_timeout_s,
        attributes=_attribute_texts(explanation.attributes),
        displaced=None
        if displaced is None
        else DisplacedShown(
            acct_session_id=displaced.acct_session_id,
            device_id=displaced.nas_id,
            device_name=displaced.nas_name,
            started_at=_moment(displaced.started_at),
        ),
        remedies=[_remedy_shown(remedy) for remedy in explanation.remedies],
        until=None if explanation.until is None else _moment(explanation.until),
    )


def _remedy_shown(remedy: Remedy) -> RemedyShown:
    value = _moment(remedy.value) if isinstance(remedy.value, float) else remedy.value
    return RemedyShown(rule=remedy.rule, field=remedy.field, value=value, sentence=remedy.sentence)


def _attribute_texts(attributes: bytes) -> list[str]:
    """Return each attribute of an Access-Accept as a line of text."""
    length = HEADER_LENGTH + len(attributes)
    header = bytes((Code.ACCESS_ACCEPT, 0)) + length.to_bytes(2, "big")
    described = describe(decode(header.ljust(HEADER_LENGTH, b"\0") + attributes))
    return [line.strip() for line in described.splitlines()[1:]]


def _moment(then: float) -> datetime:
    return datetime.fromtimestamp(then, UTC)
