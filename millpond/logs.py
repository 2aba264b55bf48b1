"""Logs: one JSON object a line on standard output, from our own events and from every library that uses `logging`.

An event's name is a verb (job_submitted); all else is in fields. `bind` adds fields (a job's id) to every line of the current
thread or asyncio task. Nothing a user sends can break a line: text is escaped to ASCII and cut.
"""

import logging
import math
import sys
import threading
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

MAX_FIELD: Final = 2_000  # characters of a field; a log is no store of payloads
MAX_EXCEPTION: Final = 16_000  # characters of a traceback, of which the end matters

_FIRST: Final = ("timestamp", "level", "service", "event")

Event = MutableMapping[str, Any]


def configure(service: str, level: str = "info") -> None:
    """Send every line of this process to standard output as JSON, from `level` on."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(service),
        structlog.processors.format_exc_info,
    ]
    render: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _cut, structlog.processors.JSONRenderer(default=repr)]
    handler = _Lines(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    for name in _LOUD:
        adopt(name)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda died: _log_uncaught(died.exc_type, died.exc_value, died.exc_traceback)


# Libraries that bring handlers of their own.
_LOUD: Final = ("gunicorn.error", "gunicorn.access", "tornado.access", "tornado.application", "tornado.general", "rq.worker", "alembic")


def adopt(name: str) -> None:
    """Take a library's own handlers away: its lines go through ours. For loggers that are set up after `configure`."""
    library = logging.getLogger(name)
    library.handlers = []
    library.propagate = True


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: ``log.info("job_submitted", job_id=id)``."""
    return structlog.stdlib.get_logger(name)


def bind(**fields: Any) -> AbstractContextManager[None]:
    """Add fields to every line inside the block, also to those of libraries and of a user's task."""
    return structlog.contextvars.bound_contextvars(**fields)


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines; a record that cannot be written (a library's wrong arguments) is a line, too."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        reader_left = isinstance(sys.exc_info()[1], BrokenPipeError)
        if record.name != __name__ and not reader_left:
            logging.getLogger(__name__).error("log_failed", extra={"of": record.name, "line": repr(record.msg)}, exc_info=True)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger(__name__).critical("process_died", exc_info=(kind, error, trace))


def _service(name: str) -> Any:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event["service"] = name
        return event

    return add


def _cut(_logger: Any, _method: str, event: Event) -> Event:
    first = {name: event.pop(name) for name in _FIRST if name in event}
    return {name: value[-MAX_EXCEPTION:] if name == "exception" else _short(value) for name, value in {**first, **event}.items()}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_FIELD else value[:MAX_FIELD] + "..."
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # NaN is not JSON
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and len(value) <= _MAX_MEMBERS:
        return {str(key): _short_leaf(member) for key, member in value.items()}
    if isinstance(value, list | tuple) and len(value) <= _MAX_MEMBERS:
        return [_short_leaf(member) for member in value]
    return _short(repr(value))


_MAX_MEMBERS: Final = 50


def _short_leaf(value: Any) -> Any:
    return _short(value) if value is None or isinstance(value, str | bool | int | float) else _short(repr(value))
