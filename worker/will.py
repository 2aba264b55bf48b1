"""What a child leaves to be told when it has ended: outcomes of functions that did not end when told, and that run again.

Redis must not hear of them while such a function goes on in some thread, because two attempts of one job would run side by side. The
child writes them into a file that its parent has open, too; the parent reads it when the child is surely dead (kill first, hand back
after), and finishes them then. Finish is fenced: what the child has told itself in the meantime does no harm here.
"""

import os
from collections.abc import Sequence
from typing import Any, Self

import orjson

from millpond.moves import Outcome
from worker.shared import nameless_file


class Will:
    """The file. The child writes it, its parent reads it once."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def make(cls) -> Self:
        """A new one, empty."""
        return cls(nameless_file())

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Leave these, and no others."""
        text = orjson.dumps([one._asdict() for one in outcomes], default=bytes.decode)  # both bodies are text
        os.pwrite(self.fd, text, 0)
        os.ftruncate(self.fd, len(text))

    def read(self) -> list[Outcome]:
        """What was left; nothing if the child died while it wrote: its parent then knows of its death alone."""
        text = os.pread(self.fd, os.fstat(self.fd).st_size, 0)
        try:
            found: list[dict[str, Any]] = orjson.loads(text or b"[]")
        except orjson.JSONDecodeError:
            return []
        return [Outcome(**{**one, "body": one["body"].encode(), "rq_result": one["rq_result"].encode()}) for one in found]

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)
