"""Lost, doubled, disagreeing: what the clients' journal, the database and the tasks' ledger say of the same jobs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.system.ledger import Stint, begun_twice, by_job, overlapping
from tests.system.record import AttemptRow, Row


@dataclass(frozen=True, slots=True)
class Sent:
    """A job as its client knows it: the number it gave, the id it was answered, how often it asked, how long that took."""

    n: int
    key: str
    id: str
    tries: int
    seconds: float
    answered: float  # monotonic


@dataclass(frozen=True, slots=True)
class Verdict:
    """What does not agree, by job; all of it empty is the promise kept."""

    journal: str
    database: str
    ledger: str
    faults: dict[str, list[str]] = field(default_factory=dict)
    reruns: int = 0

    @property
    def good(self) -> bool:
        return not any(self.faults.values())

    def __str__(self) -> str:
        said = [f"{name} {len(jobs)}: {' '.join(jobs[:3])}" for name, jobs in self.faults.items() if jobs]
        return "\n".join([f"journal:  {self.journal}", f"database: {self.database}", f"ledger:   {self.ledger}", *said])


def judge(sent: Iterable[Sent], rows: Iterable[Row], attempts: Iterable[AttemptRow], stints: list[Stint], dead: set[int]) -> Verdict:
    """Compare the three. `dead`: processes that were killed or taken from, whose executions need not end."""
    sent, rows, attempts = list(sent), list(rows), list(attempts)
    faults = {
        "lost": _lost(sent, rows),
        "doubled": _doubled(sent, rows),
        "strangers in the record": sorted({row.id for row in rows} - {one.id for one in sent}),
        "attempt rows that disagree": _attempts(rows, attempts),
        "finished without work": _unworked(rows, stints),
        "attempts begun twice": begun_twice(stints),
        "begun while the holder lived": overlapping(stints, dead),
    }
    repeated = sum(one.tries > 1 for one in sent)
    final = Counter(row.status for row in rows)
    reruns = sum(len(own) - 1 for own in by_job(stints).values())
    return Verdict(
        journal=f"accepted {len(sent)}, of these {repeated} only when asked again",
        database=f"rows {len(rows)} ({', '.join(f'{count} {status}' for status, count in sorted(final.items()))}), "
        f"lost {len(faults['lost'])}, doubled {len(faults['doubled'])}, attempt rows {len(attempts)}",
        ledger=f"begun {len(stints)}, ended {sum(stint.ended is not None for stint in stints)}, run again {reruns}",
        faults=faults,
        reruns=reruns,
    )


def _lost(sent: list[Sent], rows: list[Row]) -> list[str]:
    return sorted({one.id for one in sent} - {row.id for row in rows if row.final})


def _doubled(sent: list[Sent], rows: list[Row]) -> list[str]:
    """Ids with two rows, numbers with two jobs, and ids that two requests were answered."""
    ids, numbers = Counter(row.id for row in rows), Counter(row.n for row in rows)
    answered = Counter(one.id for one in sent)
    twice = {row.id for row in rows if ids[row.id] > 1 or (row.n is not None and numbers[row.n] > 1)}
    return sorted(twice | {id for id, count in answered.items() if count > 1})


def _attempts(rows: list[Row], attempts: list[AttemptRow]) -> list[str]:
    """Jobs without exactly one attempt row that says how they ended, or with two rows for an attempt."""
    ends = Counter((one.job_id, one.attempt, one.status) for one in attempts)
    times = Counter((one.job_id, one.run, one.attempt) for one in attempts)
    wrong = {row.id for row in rows if row.final and ends[(row.id, row.attempt, row.status)] != 1}
    return sorted(wrong | {id for (id, _, _), count in times.items() if count > 1})


def _unworked(rows: list[Row], stints: list[Stint]) -> list[str]:
    """Finished jobs whose last attempt is not in the ledger from begin to end, by the process that the result names."""
    done = {(stint.job, stint.attempt, stint.pid) for stint in stints if stint.ended is not None}
    finished = [row for row in rows if row.status == "finished"]
    return sorted(row.id for row in finished if (row.id, row.attempt, (row.result or {}).get("pid")) not in done)
