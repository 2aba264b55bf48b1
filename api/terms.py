"""What usual submissions of one task have in common, made once: for all of them, or for each value that the task's limits go by."""

from dataclasses import replace
from typing import Any, Final

from millpond import gate
from millpond.catalogue import Entry
from millpond.job import Overrides, submission_fields
from millpond.moves import Submission

_KNOWN: Final = 1000  # values; then they are learnt anew


class Terms:
    """Submissions whose ids and payloads mean nothing. `usual`: that of a task without limits by an argument."""

    def __init__(self, entry: Entry) -> None:
        self.usual = Submission("", entry.queue, b"", submission_fields(entry, Overrides()))
        self._entry = entry
        self._by_argument = gate.by_argument(entry)
        self._of_gates: dict[str, Submission] = {}

    def of(self, args: list[Any], kwargs: dict[str, Any]) -> Submission:
        """Those of a submission with these arguments; one object for all that share a gate, as `moves.submit` tells terms apart."""
        if not self._by_argument:
            return self.usual
        key = gate.field(self._entry, args, kwargs, {})
        terms = self._of_gates.get(key)
        if terms is None:
            if len(self._of_gates) >= _KNOWN:
                self._of_gates.clear()
            terms = self._of_gates[key] = replace(self.usual, fields={**self.usual.fields, "gate": key})
        return terms
