"""Counting is right where it matters: a job that is missing, doubled, not ended, or of somebody else."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loadtest.answers import Answers
from loadtest.figures import answers_per_s
from loadtest.journal import Entry, Journal
from loadtest.tally import Record, count

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(n: int, status: int = 202, id: str = "", success: bool = True, seconds: float = 0.01) -> Entry:
    return Entry(n, f"key-{n}", status, id, "2026-01-01T12:00:00Z", seconds, "", success)


def record(n: int, id: str = "", ended: bool = True, lag_s: float = 0.5) -> Record:
    return Record(id or f"id-{n}", n, NOON if ended else None, NOON + timedelta(seconds=lag_s))


def test_all_recorded_once() -> None:
    tally = count([entry(n) for n in range(3)], [record(n) for n in range(3)])
    assert tally.good
    assert tally.lines() == ["accepted 3 recorded 3 lost 0 duplicate 0", "recorded_at - ended_at s: p50 0.500 p99 0.500"]


def test_a_missing_job_is_lost() -> None:
    tally = count([entry(1), entry(2)], [record(1)])
    assert (tally.accepted, tally.recorded, tally.lost, tally.good) == (2, 1, 1, False)


def test_a_job_that_has_not_ended_is_not_recorded() -> None:
    assert count([entry(1)], [record(1, ended=False)]).lost == 1


def test_two_jobs_for_one_request_are_a_duplicate() -> None:
    tally = count([entry(1)], [record(1, "a"), record(1, "b")])
    assert (tally.recorded, tally.duplicate, tally.good) == (1, 1, False)


def test_another_job_than_the_answered_one_does_not_count() -> None:
    assert count([entry(1, id="a")], [record(1, "b")]).lost == 1


def test_a_refused_request_is_neither_accepted_nor_lost_but_no_success() -> None:
    tally = count([entry(1), entry(2, status=503, success=False)], [record(1)])
    assert (tally.accepted, tally.lost, tally.good) == (1, 0, False)


def test_the_article_s_line() -> None:
    answers = [entry(n, success=n < 2) for n in range(10)]
    assert next(Answers.of(answers).lines()) == "20.0% request success!"
    assert list(Answers.of([entry(1)]).lines()) == ["100.0% request success!", "latency ms: p50 10.0 p90 10.0 p99 10.0 p99.9 10.0 max 10.0"]


def test_the_commonest_failures_come_first() -> None:
    answers = Answers.of([entry(0), entry(1, status=503, success=False), entry(2, status=0, success=False), entry(3, 503, success=False)])
    assert list(answers.lines())[2:] == ["failed: 2 x 503 too late", "failed: 1 x 0 too late"]
    assert (answers.answered, answers.succeeded) == (3, 1)


def test_an_open_loop_says_how_late_it_was() -> None:
    entries = [replace(entry(n), due_s=n / 10, sent_s=n / 10 + 0.002 * n) for n in range(10)]
    assert list(Answers.of(entries).lines(10.0))[2] == "requests/s: asked 10 answered 10.8; sent at most 18.0 ms late"


def test_answers_are_spread_over_the_time() -> None:
    entries = [replace(entry(n, success=n % 4 > 0), sent_s=n / 10) for n in range(100)]
    found = dict(answers_per_s(entries, 10.0))
    assert set(found) == {"succeeded", "failed"}
    assert {name: sum(value for _, value in points) * 0.5 for name, points in found.items()} == {"succeeded": 75, "failed": 25}
    assert [at for at, _ in found["failed"]] == [0.25 + 0.5 * number for number in range(20)]


def test_a_journal_gives_back_what_several_writers_added(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal").clear()
    with journal.writer() as one, journal.writer() as two:
        one.add(entry(1))
        two.add(entry(2, status=0))
        one.add(entry(3))
    assert [line.n for line in journal.read()] == [1, 2, 3]


def test_a_journal_is_followed_line_by_whole_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal").clear()
    news = journal.follow()
    assert next(news) == []
    with journal.writer() as one:
        one.add(entry(1))
        assert [line.n for line in next(news)] == [1]
        whole = journal.path.read_bytes()
        os.write(one.file, whole[:20])
        assert next(news) == []
        os.write(one.file, whole[20:])
        assert [line.n for line in next(news)] == [1]
