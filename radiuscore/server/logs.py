"""Log lines of a worker and of the supervisor's programs: JSON or text, one line each, on standard error.

Whatever a peer sends is escaped: a User-Name must not begin a new line or move the cursor of whoever reads the log.
Keys and form are those of the application's own log, so that all processes write into one stream.
"""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import orjson

_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROLS_OF_TRACEBACK: Final = {code: text for code, text in _CONTROLS.items() if code != ord("\n")}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(
    level: str, form: Literal["console", "json"], fields: Mapping[str, object], stream: TextIO | None = None
) -> None:
    """Send every log line of this process to ``stream`` (standard error); each carries ``fields`` as well."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(fields) if form == "json" else TextFormatter(fields))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class _Formatter(logging.Formatter):
    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__()
        self._fields = dict(fields)

    def fields_of(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what a line says beside its message: the process's fields, then the record's own."""
        own = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return {name: _escaped(value) for name, value in (self._fields | own).items()}

    def traceback_of(self, record: logging.LogRecord) -> str:
        """Return the traceback on its several lines, empty if there is none. Local variables are never in it."""
        if not record.exc_info:
            return ""
        return self.formatException(record.exc_info).translate(_CONTROLS_OF_TRACEBACK)


class JsonFormatter(_Formatter):
    """One JSON object per line: ``event``, the fields, ``level``, ``logger``, ``timestamp``, ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "event": record.getMessage().translate(_CONTROLS),
            **self.fields_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if traceback := self.traceback_of(record):
            line["exception"] = traceback
        return orjson.dumps(line, default=str).decode()


class TextFormatter(_Formatter):
    """Time, level, message, then ``name=value``; a traceback follows on its own lines."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = " ".join(f"{name}={_shown(value)}" for name, value in self.fields_of(record).items())
        line = f"{time} [{record.levelname.lower():<7}] {record.getMessage().translate(_CONTROLS)}  {fields}".rstrip()
        traceback = self.traceback_of(record)
        return f"{line}\n{traceback}" if traceback else line


def _escaped(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return str(value).translate(_CONTROLS)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if not text or " " in text or "=" in text else text
