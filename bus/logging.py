"""Logs of our own processes: JSON lines on stderr, in which only fields on a list appear, so that no patient
can.

An exception is shown by its type and where it was raised. Its text is left out: a database's errors quote the
row.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "logger", "process", "pid", "action", "address", "attempt",
        "attempts", "backoff", "bytes", "campus", "charset", "code", "connection", "count", "delay",
        "destination", "dropped", "duration", "endpoint", "error", "exception", "facility", "from_id",
        "generation", "host", "id", "kind", "limit", "message_id", "message_type", "method", "name",
        "outcome", "partition", "peer", "poller", "port", "protocol", "queue", "queued", "reason",
        "refusal_id", "retry_in", "route", "rule", "seconds", "service", "signal", "size", "sqlstate",
        "state", "status", "step", "table", "to_id", "trace_id", "version", "workflow",
    }
)  # fmt: skip
"""What a log line may hold. Add a name here only where its values can never be a patient's."""

Event = MutableMapping[str, Any]


def _allowed_only(_logger: object, _method: str, event: Event) -> Event:
    dropped = sorted(key for key in event if key not in ALLOWED)
    kept = {key: value for key, value in event.items() if key in ALLOWED}
    return kept | ({"dropped": dropped} if dropped else {})


def _exception(_logger: object, _method: str, event: Event) -> Event:
    """Replace exc_info by the exception's type, its causes' types, and the lines that raised it."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-5:]
        event["error"] = " < ".join(_types(error))
        event["exception"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _types(error: BaseException) -> list[str]:
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 5:
        causes.append(cause)
    return [type(cause).__name__ for cause in causes]


class _Foreign(logging.Handler):
    """Passes on what libraries log: the template without its arguments, which may quote anything."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, str(record.msg), logger=record.name, exc_info=record.exc_info)


def configure(process: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Set up this process's logging; call it once, in `__main__`. Libraries are heard from WARNING up."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception,
            _named(process),
            _allowed_only,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=_opaque),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Foreign()], level=logging.WARNING, force=True)


def _named(process: str) -> structlog.types.Processor:
    def name(_logger: object, _method: str, event: Event) -> Event:
        return {"process": process} | dict(event)

    return name


def _opaque(value: object) -> str:
    return f"<{type(value).__name__}>"
