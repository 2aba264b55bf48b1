"""Reads the typed fields of a job's hash. What neither Millpond nor RQ writes is Undecodable, by the field's name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from millpond import times
from millpond.errors import Undecodable


class Fields:
    """A Redis hash as HGETALL gives it. A field that is absent or empty (RQ writes "" for none) reads as None or the default."""

    __slots__ = ("_hash",)

    def __init__(self, hash: Mapping[str, bytes]) -> None:
        self._hash = hash

    def text(self, name: str) -> str | None:
        """A field's text."""
        raw = self._hash.get(name)
        if not raw:
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise Undecodable(f"Field {name} is not UTF-8.") from error

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number."""
        raw = self._hash.get(name)
        try:
            return int(raw) if raw else default
        except ValueError as error:
            raise Undecodable(f"Field {name} is not a whole number.") from error

    def decimal(self, name: str, default: float) -> float:
        """A number."""
        raw = self._hash.get(name)
        try:
            return float(raw) if raw else default
        except ValueError as error:
            raise Undecodable(f"Field {name} is not a number.") from error

    def seconds(self, name: str, default: float) -> float:
        """Seconds, from a field in milliseconds."""
        raw = self._hash.get(name)
        return self.integer(name) / 1000 if raw else default

    def json(self, name: str) -> Any:
        """JSON that a script or the codec wrote."""
        raw = self._hash.get(name)
        try:
            return orjson.loads(raw) if raw else None
        except orjson.JSONDecodeError as error:
            raise Undecodable(f"Field {name} is not JSON.") from error

    def mapping(self, name: str) -> dict[str, Any]:
        """A JSON object, empty where the field is absent."""
        found = self.json(name)
        if found is not None and not isinstance(found, dict):
            raise Undecodable(f"Field {name} is not an object.")
        return found or {}

    def numbers(self, name: str) -> list[float]:
        """A JSON list of numbers, none where the field is absent."""
        found = self.json(name) or []
        if not isinstance(found, list) or not all(isinstance(one, int | float) for one in found):
            raise Undecodable(f"Field {name} is not a list of numbers.")
        return found

    def moment(self, name_ms: str, name_rq: str = "") -> datetime | None:
        """A moment: our milliseconds, else RQ's date."""
        try:
            if name_ms and self._hash.get(name_ms):
                return times.from_ms(self.integer(name_ms))
            text = self.text(name_rq)
            return times.from_rq(text) if text else None
        except (ValueError, OverflowError) as error:
            raise Undecodable(f"Field {' or '.join(filter(None, (name_ms, name_rq)))} is not a date.") from error
