"""Puts this interpreter's wall clock ahead by SHIFTED_S seconds; Python imports a module of this name at its start."""

import datetime
import os
import time
from typing import Self

SHIFT_S = float(os.environ.get("SHIFTED_S", 0))
_true_time = time.time


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        return super().now(tz) + datetime.timedelta(seconds=SHIFT_S)

    @classmethod
    def utcnow(cls) -> Self:
        return cls.now(datetime.UTC).replace(tzinfo=None)


time.time = lambda: _true_time() + SHIFT_S
datetime.datetime = _Datetime  # type: ignore[misc]
