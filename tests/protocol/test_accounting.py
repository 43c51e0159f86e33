"""Accounting-Requests: what is acknowledged, and what is recorded. Numbers are those of docs/protocol.md."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from radiuscore import AccountingEvent, AcctStatusType, Nas, NotDurable
from radiuscore.engine.engine import Engine
from radiuscore.engine.exchange import Pending
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasTable
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import pap, report
from tests.protocol.bench import NOW, ONE, SHARED, TWO, Bench, octets_of
from tests.protocol.oracle import accounting, attribute, read_reply

STATUSES = {
    1: AcctStatusType.START,
    2: AcctStatusType.STOP,
    3: AcctStatusType.INTERIM_UPDATE,
    7: AcctStatusType.ACCOUNTING_ON,
    8: AcctStatusType.ACCOUNTING_OFF,
}


def with_authenticator(datagram: bytes, authenticator: bytes) -> bytes:
    return datagram[:4] + authenticator + datagram[20:]


@pytest.mark.parametrize("status", STATUSES)
def test_c1_a_wrong_request_authenticator_is_never_acknowledged(bench: Bench, status: int) -> None:
    right = report(status)
    flipped = [with_authenticator(right, flip(right[4:20], bit)) for bit in range(128)]
    for wrong in (*flipped, with_authenticator(right, bytes(16)), with_authenticator(right, bytes(range(16)))):
        assert bench.acct(wrong) is Discard.BAD_AUTHENTICATOR
    assert bench.recorded.events == []


def test_c1_a_changed_octet_is_never_acknowledged(bench: Bench) -> None:
    right = report(2, attribute(42, 1000))
    for bit in range(8 * 20, 8 * len(right)):
        outcome = bench.acct(flip(right, bit))
        assert outcome in {Discard.BAD_AUTHENTICATOR, Discard.BAD_ATTRIBUTE}
    assert bench.recorded.events == []


def flip(octets: bytes, bit: int) -> bytes:
    changed = bytearray(octets)
    changed[bit // 8] ^= 0x80 >> bit % 8
    return bytes(changed)


@pytest.mark.parametrize("status", STATUSES)
async def test_c2_the_acknowledgement_waits_until_the_record_is_durable(status: int) -> None:
    durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    events: list[AccountingEvent] = []

    def record(event: AccountingEvent) -> Awaitable[Any]:
        events.append(event)
        return durable

    engine = engine_that_records(record)
    ask = report(status)
    pending = engine.acct.handle(ask, octets_of("10.0.0.1", 40001), b"", Moment(1, NOW))
    assert isinstance(pending, Pending)
    answer = asyncio.ensure_future(pending)
    await asyncio.sleep(0)
    assert not answer.done()
    assert engine.acct.counters.replies == {}
    durable.set_result(None)
    assert read_reply(await answer, ask, ONE).code == oracle.ACCOUNTING_RESPONSE
    assert [event.status for event in events] == [STATUSES[status]]


@pytest.mark.parametrize("failure", [NotDurable(), OSError("disk full")])
async def test_c2_a_record_that_could_not_be_kept_is_not_acknowledged(failure: Exception) -> None:
    async def record(_: AccountingEvent) -> None:
        raise failure

    engine = engine_that_records(record)
    pending = engine.acct.handle(report(2), octets_of("10.0.0.1", 40001), b"", Moment(1, NOW))
    assert isinstance(pending, Pending)
    if isinstance(failure, NotDurable):
        assert await pending is Discard.NOT_DURABLE
    else:
        with pytest.raises(OSError, match="disk full"):
            await pending
    assert engine.acct.counters.replies == {}


def engine_that_records(record: Any) -> Engine:
    return Engine(NasTable([Nas("10.0.0.1", ONE, isp_id=1, id=11)]), access=lambda _: None, accounting=record)


def test_c3_a_stop_is_recorded_whether_or_not_a_start_was_seen(bench: Bench) -> None:
    bench.acknowledged(report(2, attribute(46, 60), attribute(49, 1)))
    event = bench.recorded.events[0]
    assert (event.status, event.session_time, event.terminate_cause) == (AcctStatusType.STOP, 60, 1)
    assert (event.isp_id, event.nas_id, event.customer_id, event.plan_id) == (1, 11, 101, 5)


def test_c3_a_report_of_nobody_is_recorded_as_well(bench: Bench) -> None:
    ask = accounting(attribute(40, 2), attribute(44, "8100002"), attribute(1, "otto"), secret=ONE)
    bench.acknowledged(ask)
    assert bench.recorded.events[0].customer_id is None
    bench.acknowledged(accounting(attribute(40, 2), secret=ONE, identifier=8))
    assert (bench.recorded.events[1].acct_session_id, bench.recorded.events[1].username) == ("", "")


def test_c3_the_same_session_of_two_isps_stays_apart(bench: Bench) -> None:
    bench.acknowledged(report(), SHARED)
    bench.acknowledged(report(secret=TWO), SHARED, TWO)
    assert [(event.isp_id, event.nas_id, event.customer_id) for event in bench.recorded.events] == [
        (1, 12, 101),
        (2, 22, 201),
    ]


@pytest.mark.parametrize(
    ("low", "giga", "octets"),
    [
        (0, 0, 0),
        (2**32 - 1, 0, 2**32 - 1),
        (0, 1, 2**32),
        (5, 3, 3 * 2**32 + 5),
        (2**32 - 1, 2**32 - 1, 2**64 - 1),
        (7, None, 7),
    ],
)
def test_c4_octets_are_joined_with_their_gigawords(bench: Bench, low: int, giga: int | None, octets: int) -> None:
    received = [attribute(42, low)] + ([attribute(52, giga)] if giga is not None else [])
    bench.acknowledged(report(3, *received, attribute(43, 9), attribute(53, 1)))
    event = bench.recorded.events[0]
    assert (event.input_octets, event.output_octets) == (octets, 2**32 + 9)


def test_c4_a_counter_that_was_not_sent_is_none_and_gigawords_alone_count_nothing(bench: Bench) -> None:
    bench.acknowledged(report(3, attribute(52, 1)))
    assert bench.recorded.events[0].input_octets is None


def test_c4_a_device_that_counts_from_the_other_side_is_swapped() -> None:
    bench = Bench([Nas("10.0.0.1", ONE, isp_id=1, id=11, swap_octets=True)])
    counters = [attribute(kind, number) for kind, number in ((42, 1), (43, 2), (52, 3), (53, 4), (47, 5), (48, 6))]
    bench.acknowledged(report(3, *counters))
    event = bench.recorded.events[0]
    assert (event.input_octets, event.output_octets) == (4 << 32 | 2, 3 << 32 | 1)
    assert (event.input_packets, event.output_packets) == (6, 5)


@pytest.mark.parametrize("status", [0, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 99, 0x06300001, 2**32 - 1])
def test_c5_a_status_that_says_nothing_of_a_session_is_acknowledged_and_not_stored(bench: Bench, status: int) -> None:
    bench.acknowledged(report(status))
    assert bench.recorded.events == []
    assert bench.engine.acct.counters.not_stored == 1


@pytest.mark.parametrize("status", [b"", b"\x01", b"\0\0\x01", b"\0\0\0\0\x01"])
def test_c5_without_a_status_it_is_no_record_and_gets_no_answer(bench: Bench, status: bytes) -> None:
    assert bench.acct(accounting(attribute(44, "8100001"), secret=ONE)) is Discard.NOT_HANDLED
    assert bench.acct(accounting(attribute(40, status), secret=ONE)) is Discard.NOT_HANDLED
    assert bench.recorded.events == []


@pytest.mark.parametrize("status", [7, 8])
def test_c6_a_restart_is_that_of_one_device_only(status: int) -> None:
    """Two devices of one ISP behind an address, and a neighbour's: each names itself or has a secret of its own."""
    bench = Bench(
        [
            Nas(SHARED, ONE, isp_id=1, id=31, nas_identifier="north"),
            Nas(SHARED, ONE, isp_id=1, id=32, nas_identifier="south"),
            Nas(SHARED, TWO, isp_id=2, id=33, nas_identifier="south"),
        ]
    )
    for identifier, (name, secret) in enumerate((("south", ONE), ("north", ONE), ("south", TWO), ("north", TWO))):
        ask = accounting(attribute(40, status), attribute(32, name), secret=secret, identifier=identifier)
        bench.acknowledged(ask, SHARED, secret)
    assert [(event.isp_id, event.nas_id) for event in bench.recorded.events] == [(1, 32), (1, 31), (2, 33), (2, 33)]
    assert {event.status for event in bench.recorded.events} == {STATUSES[status]}


@pytest.mark.parametrize("timestamp", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("delay", [0, 5, 2**32 - 1])
def test_c7_the_time_is_that_of_arrival_whatever_the_device_believes(bench: Bench, timestamp: int, delay: int) -> None:
    bench.acknowledged(report(3, attribute(55, timestamp), attribute(41, delay)))
    event = bench.recorded.events[0]
    assert (event.received_at, event.event_timestamp, event.delay_time) == (NOW, timestamp, delay)


TEXTS = {
    b"8100\x00001": "8100\\x00001",
    b"\xff\xfe8100": "\\xff\\xfe8100",
    b"caf\xc3\xa9": "café",
    b"caf\xe9": "caf\\xe9",
    b"a\\x00": "a\\\\x00",
    b"\0": "\\x00",
}


@pytest.mark.parametrize(("octets", "text"), TEXTS.items())
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (oracle.ACCT_SESSION_ID, "acct_session_id"),
        (1, "username"),
        (30, "called_station_id"),
        (31, "calling_station_id"),
        (32, "nas_identifier"),
        (87, "nas_port_id"),
    ],
)
def test_c8_text_that_a_database_cannot_hold_is_escaped_and_nothing_is_lost(
    bench: Bench, kind: int, name: str, octets: bytes, text: str
) -> None:
    bench.acknowledged(accounting(attribute(40, 3), attribute(kind, octets), secret=ONE))
    assert getattr(bench.recorded.events[0], name) == text


@pytest.mark.parametrize("octets", [bytes(253), bytes(range(253)), b"\xff" * 253, "€".encode() * 84])
def test_c9_a_session_id_of_253_octets_is_kept_whole(bench: Bench, octets: bytes) -> None:
    ids = set()
    for identifier, session in enumerate((octets, octets[:-1], octets[:-1] + b"!")):
        ask = accounting(attribute(40, 1), attribute(44, session), secret=ONE, identifier=identifier)
        bench.acknowledged(ask)
        ids.add(bench.recorded.events[-1].acct_session_id)
    assert len(ids) == 3
    assert not any("\0" in text for text in ids)


def test_c10_what_was_said_of_the_session_is_in_the_event(bench: Bench) -> None:
    uuid = bytes(range(16))
    bench.acknowledged(
        report(
            3,
            attribute(25, uuid),
            attribute(8, b"\x0a\x01\x02\x03"),
            attribute(4, b"\xc0\xa8\x01\x01"),
            attribute(5, 0x81000001),
            attribute(6, 2),
            attribute(61, 15),
            attribute(46, 300),
            attribute(47, 11),
            attribute(48, 12),
        )
    )
    event = bench.recorded.events[0]
    assert event.session_uuid == uuid
    assert (str(event.framed_ip_address), str(event.nas_ip_address)) == ("10.1.2.3", "192.168.1.1")
    assert (event.nas_port, event.service_type, event.nas_port_type) == (0x81000001, 2, 15)
    assert (event.session_time, event.input_packets, event.output_packets) == (300, 11, 12)
    assert (event.local_address, event.nas_address) == ("192.0.2.10", "10.0.0.1")


@pytest.mark.parametrize("octets", [b"", b"operator's own class", bytes(15), bytes(17)])
def test_c10_a_class_that_is_not_ours_is_no_session(bench: Bench, octets: bytes) -> None:
    bench.acknowledged(report(1, attribute(25, octets)))
    assert bench.recorded.events[0].session_uuid is None


def test_c10_the_class_of_an_accept_leads_back_to_its_login(bench: Bench) -> None:
    (session_class,) = bench.login(pap()).all(oracle.CLASS)
    bench.acknowledged(report(1, attribute(25, session_class)))
    assert bench.recorded.events[0].session_uuid == bench.logins[0].session_uuid == session_class


def test_c10_what_a_packet_says_selects_no_isp(bench: Bench) -> None:
    """NAS-IP-Address and NAS-Identifier of the neighbour's router change nothing."""
    ask = report(1, attribute(4, b"\x0a\0\0\x02"), attribute(32, "two's"))
    bench.acknowledged(ask)
    event = bench.recorded.events[0]
    assert (event.isp_id, event.nas_id) == (1, 11)


def test_c10_the_customer_is_told_apart_by_isp_and_the_interval_is_his_plans(bench: Bench) -> None:
    bench.acknowledged(report())
    event = bench.recorded.events[0]
    assert event.interim_interval_s is not None
    assert 270 <= event.interim_interval_s <= 330
