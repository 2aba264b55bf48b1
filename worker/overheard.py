"""What tasks say to nobody in particular, `print` and `logging`, is said by the job that they run for."""

import io
import logging
import sys
from typing import Any, Final, TextIO

from millpond.joblog import LEVELS, STREAMS
from millpond.task import current_job
from worker.voice import SAID

_LEVELS: Final = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


def listen() -> None:
    """From now on. After users' modules were imported: they may set `logging` up anew."""
    for handler in logging.getLogger().handlers[:1]:  # with a second one each line would be heard twice
        handler.addFilter(_overhear)
    for name in STREAMS:
        if not isinstance(getattr(sys, name), _Stream):
            setattr(sys, name, _Stream(getattr(sys, name), name))


def _overhear(record: logging.LogRecord) -> bool:
    """A filter of handlers: names the job in a record, and lets its log have the text."""
    job = current_job()
    if not job.id:
        return True
    record.job_id, record.attempt = job.id, job.attempt
    # What `worker.voice` tells of is in the job's log already.
    return record.name == SAID or job.voice.overhear(_level(record.levelno), _text(record))


def _level(number: int) -> str:
    return LEVELS[sum(number >= one for one in _LEVELS)]


def _text(record: logging.LogRecord) -> str:
    try:
        return _formatter.format(record)
    except Exception:  # a record with wrong arguments is told of by the handler itself
        return str(record.msg)


_formatter = logging.Formatter("%(message)s")


class _Stream(io.TextIOBase):
    """Standard output or error: inside a job what is written is the job's, all else goes on to the stream itself."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        job = current_job()
        if not job.id:
            return self._stream.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        job.voice.write(self._name, text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
