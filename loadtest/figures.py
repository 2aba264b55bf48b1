"""All that is known of a burst, as one document and as pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest import pictures
from loadtest.answers import Answers
from loadtest.journal import Entry
from loadtest.plan import Plan
from loadtest.tally import Tally

_FEWEST_SLICES, _MOST_SLICES = 20, 100  # of a picture's time; between them a slice is a second


def document(plan: Plan, answers: Answers, tally: Tally) -> dict[str, Any]:
    """All figures; `encoded` is HDR's own text of the latencies (`Latencies`)."""
    return {
        "plan": {name: value for name, value in asdict(plan).items() if name != "journal"},
        "counts": {
            "requests": answers.requests,
            "answered": answers.answered,
            "succeeded": answers.succeeded,
            "accepted": tally.accepted,
            "recorded": tally.recorded,
            "lost": tally.lost,
            "duplicate": tally.duplicate,
            "failures": answers.failures,
        },
        "latency_ms": answers.latency_ms,
        "latencies": {"unit": "us", "encoded": answers.latencies.encoded()},
        "recorded_lag_s": tally.lag_s,
        "asked_per_s": plan.per_s or None,
        "answered_per_s": answers.per_s,
        "late_s": answers.late_s,
        "seconds": answers.seconds,
    }


def draw(folder: Path, entries: Sequence[Entry], answers: Answers) -> None:
    """The latencies by percentile and the answers by time, each for a light and for a dark page."""
    pictures.percentiles(folder / "latency", "Latency by percentile", {"requests": answers.latencies})
    pictures.lines(folder / "answers", "Answers", dict(answers_per_s(entries, answers.seconds)), "seconds", "answers/s")


def answers_per_s(entries: Sequence[Entry], seconds: float) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Successes and, where there are any, failures a second, in equal slices of the time."""
    slices = min(max(_FEWEST_SLICES, round(seconds)), _MOST_SLICES)
    slice_s = seconds / slices
    for name, success in (("succeeded", True), ("failed", False)):
        often = Counter(min(int(entry.answered_s / slice_s), slices - 1) for entry in entries if entry.success == success)
        if often:
            yield name, [((number + 0.5) * slice_s, often[number] / slice_s) for number in range(slices)]
