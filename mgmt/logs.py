"""Log lines of the application: text on a terminal, one JSON object per line otherwise. Nobody else sets up logging."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from radiuscore.settings import LogFormat, LogLevel

# What a peer sends (a User-Name, say) must not begin a new line or move the cursor of whoever reads the log.
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROLS_OF_TRACEBACK: Final = {code: text for code, text in _CONTROLS.items() if code != ord("\n")}


def configure(level: LogLevel, form: LogFormat | None, stream: TextIO | None = None) -> None:
    """Send every log line of this process to ``stream`` (stderr), in the form chosen or the one that suits it."""
    stream = stream or sys.stderr
    form = form or (LogFormat.CONSOLE if stream.isatty() else LogFormat.JSON)
    renderer: structlog.typing.Processor = (
        # A pretty traceback would show local variables, and with them secrets.
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if form is LogFormat.CONSOLE
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _escape_controls,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.value.upper())


def _escape_controls(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = value.translate(_CONTROLS_OF_TRACEBACK if name in ("exception", "stack") else _CONTROLS)
    return event
