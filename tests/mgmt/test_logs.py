"""Log lines: readable by people or machines, and never two lines where a peer chose the text."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from mgmt import logs
from radiuscore.settings import LogFormat, LogLevel

LOG = logging.getLogger("radiuscore.test")


@pytest.fixture(autouse=True)
def _root_logger_is_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_has_the_fields_given() -> None:
    stream = io.StringIO()
    logs.configure(LogLevel.INFO, LogFormat.JSON, stream)

    LOG.info("device %s proved", 7, extra={"isp_id": 3})

    line = json.loads(stream.getvalue())
    assert line["event"] == "device 7 proved"
    assert (line["level"], line["logger"], line["isp_id"]) == ("info", "radiuscore.test", 3)
    assert line["timestamp"].endswith("Z")


def test_without_a_terminal_the_form_is_json() -> None:
    stream = io.StringIO()
    logs.configure(LogLevel.INFO, None, stream)

    LOG.info("x")

    assert json.loads(stream.getvalue())["event"] == "x"


def test_less_serious_lines_are_left_out() -> None:
    stream = io.StringIO()
    logs.configure(LogLevel.WARNING, LogFormat.CONSOLE, stream)

    LOG.info("quiet")
    LOG.warning("loud")

    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.mark.parametrize("form", LogFormat)
def test_a_peers_text_stays_on_its_line(form: LogFormat) -> None:
    stream = io.StringIO()
    logs.configure(LogLevel.INFO, form, stream)

    LOG.info("user %s", "a\r\nFAKE\x1b[2J\x9b1m", extra={"calling_station_id": "b\nFAKE"})

    written = stream.getvalue()
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written
    assert "\x9b" not in written


@pytest.mark.parametrize("form", LogFormat)
def test_a_traceback_is_shown_without_local_variables(form: LogFormat) -> None:
    stream = io.StringIO()
    logs.configure(LogLevel.INFO, form, stream)
    password = "hunter" + "2"

    try:
        raise ValueError(f"octets: {len(password)}")
    except ValueError:
        LOG.exception("failed")

    assert "ValueError: octets: 7" in stream.getvalue()
    assert password not in stream.getvalue()
