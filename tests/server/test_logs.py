"""Log lines: one per record whatever a peer sends, in two forms, and discards at most once a minute."""

import io
import logging
from collections.abc import Iterator
from typing import Literal

import orjson
import pytest

from radiuscore.aaa.records import Nas
from radiuscore.server import discardlog, logs
from radiuscore.server.discardlog import DiscardLog, device_at
from radiuscore.server.faultlog import FaultLog
from radiuscore.state.nastable import NasTable
from radiuscore.wire.errors import Discard

HOSTILE = "bob\r\n2026 [info] root logged in\x1b[2J\x9b31m\x7f"
HARMLESS = r"bob\x0d\x0a2026 [info] root logged in\x1b[2J\x9b31m\x7f"

SOURCE = (1812).to_bytes(2, "big") + bytes((10, 0, 0, 7))
OTHER = (9999).to_bytes(2, "big") + bytes((10, 0, 0, 8))


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was afterwards."""
    logger = logging.getLogger()
    before, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = before
    logger.setLevel(level)


def write(form: Literal["console", "json"], level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, form, {"worker": 3}, stream)
    return stream


def test_json_is_one_object_per_line(root: logging.Logger) -> None:
    stream = write("json")
    root.info("a login", extra={"isp_id": 1, "username": HOSTILE, "reason": None})
    root.debug("not asked for")
    (line,) = stream.getvalue().splitlines()
    written = orjson.loads(line)
    assert written.pop("timestamp").endswith("Z")
    assert written == {
        "event": "a login",
        "worker": 3,
        "isp_id": 1,
        "username": HARMLESS,
        "reason": None,
        "level": "info",
        "logger": "root",
    }


def test_text_is_one_line(root: logging.Logger) -> None:
    stream = write("console")
    root.warning("hello %s", HOSTILE, extra={"username": HOSTILE, "empty": "", "isp_id": 1})
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert f"[warning] hello {HARMLESS}  worker=3 username='" in line
    assert line.endswith("empty='' isp_id=1")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_keeps_its_lines_and_nothing_else(root: logging.Logger, form: Literal["console", "json"]) -> None:
    stream = write(form)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        root.exception("failed")
    text = stream.getvalue()
    assert "ValueError: bob" in text
    assert not set(text) & set("\r\x1b\x9b\x7f")
    assert len(text.splitlines()) == (1 if form == "json" else 6)


def test_a_discard_is_logged_once_a_minute_and_source_and_reason(caplog: pytest.LogCaptureFixture) -> None:
    log = DiscardLog(lambda _: {"isp_id": 4})
    for now in (0.0, 1.0, 59.0):
        log.note(SOURCE, Discard.UNKNOWN_NAS, now)
    log.note(OTHER, Discard.UNKNOWN_NAS, 2.0)
    log.note(SOURCE, Discard.BAD_LENGTH, 3.0)
    assert [(vars(r)["source"], vars(r)["reason"]) for r in caplog.records] == [
        ("10.0.0.7", "unknown_nas"),
        ("10.0.0.8", "unknown_nas"),
        ("10.0.0.7", "bad_length"),
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert vars(caplog.records[0])["isp_id"] == 4
    caplog.clear()
    log.note(SOURCE, Discard.UNKNOWN_NAS, 61.0)
    assert [vars(record)["repeated"] for record in caplog.records] == [2]


def test_forged_sources_do_not_fill_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discardlog, "MAX_LINES", 10)
    log = DiscardLog(lambda _: {})
    for number in range(1000):
        log.note(b"\0\1" + number.to_bytes(4, "big"), Discard.UNKNOWN_NAS, 0.0)
    assert len(caplog.records) == 10
    log.note(SOURCE, Discard.UNKNOWN_NAS, 60.0)
    assert [vars(record).get("count") for record in caplog.records[10:]] == [990, None]


def test_what_a_patient_nas_does_as_well_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    DiscardLog(lambda _: {}).note(SOURCE, Discard.DUPLICATE_IN_FLIGHT, 0.0)
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


def test_a_discard_names_the_device_only_where_the_address_is_one_devices_alone() -> None:
    nases = NasTable(
        [
            Nas("10.0.0.7", secret=b"a", isp_id=1, id=11, name="tower"),
            Nas("10.0.0.8", secret=b"b", isp_id=1, id=12),
            Nas("10.0.0.8", secret=b"c", isp_id=2, id=13),
        ]
    )
    assert device_at(nases, SOURCE[2:]) == {"isp_id": 1, "nas_id": 11, "nas": "tower"}
    assert device_at(nases, OTHER[2:]) == {}
    assert device_at(nases, bytes((10, 0, 0, 9))) == {}


def test_a_fault_that_repeats_is_logged_once_a_second(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("radiuscore.server.faultlog.monotonic", lambda: now)
    log = FaultLog(logging.getLogger("test"), "failed")
    for _ in range(5):
        log.write(ValueError("x"), isp_id=1)
    now += 1.0
    log.write(ValueError("x"))
    assert [vars(record).get("left_out") for record in caplog.records] == [None, 4]
