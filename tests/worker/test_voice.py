"""What one execution says: kept to a limit that is held, and counted beyond it."""

import gc
import io
import logging
import sys
import time
import weakref
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond import joblog
from millpond.joblog import Line
from millpond.task import JobContext, running
from worker import overheard
from worker.voice import MAX_TEXT, LogLimits, Speaker

STEADY = settings(derandomize=True, deadline=None, database=None)
PLENTY = LogLimits(1_000_000, 1 << 30)


class Ear:
    """Listens to one speaker, as the loop does."""

    def __init__(self, limits: LogLimits = PLENTY) -> None:
        self.told = 0
        self.rows: list[bytes] = []
        self.speaker = Speaker(limits, time.monotonic(), self._hear)

    def _hear(self) -> None:
        self.told += 1

    def take(self) -> None:
        news = self.speaker.take()
        assert not news.rows or news.first == len(self.rows) + 1
        self.rows += news.rows.split(b"\n") if news.rows else []

    def lines(self) -> list[Line]:
        self.speaker.close()
        self.take()
        assert not self.speaker.has_news
        return list(joblog.lines(b"\n".join(self.rows).decode()))


@pytest.fixture
def collector_off() -> Iterator[None]:
    """Objects are freed by their last reference alone."""
    gc.disable()
    yield
    gc.enable()


@given(texts=st.lists(st.text()), takes=st.sets(st.integers(0, 20)))
@STEADY
def test_every_text_is_kept_as_what_a_database_can_hold(texts: list[str], takes: set[int]) -> None:
    ear = Ear()
    for number, text in enumerate(texts):
        assert ear.speaker.overhear("info", text)
        if number in takes:
            ear.take()
    kept = [line.text for line in ear.lines()]
    assert kept == [text.encode("utf-8", "replace").decode().replace("\0", "\ufffd") for text in texts]


@given(texts=st.lists(st.text(max_size=30)), lines=st.integers(0, 20), size=st.integers(0, 400))
@STEADY
def test_a_full_log_says_so_and_counts_the_rest(texts: list[str], lines: int, size: int) -> None:
    ear = Ear(LogLimits(lines, size))
    kept = [ear.speaker.overhear("info", text) for text in texts]
    found = ear.lines()
    assert kept == sorted(kept, reverse=True), "nothing follows the cut but the count"
    said, marks = found[: sum(kept)], found[sum(kept) :]
    assert len(said) <= lines
    assert sum(len(joblog.row(line.ms, line.level, line.text)) + 1 for line in said) <= size
    missing = len(texts) - len(said)
    assert (ear.speaker.lines, ear.speaker.dropped) == (len(said), missing)
    assert [mark.level for mark in marks] == (["cut", "cut"] if missing else [])
    assert not missing or marks[-1].text == f"{missing} lines are missing."


@given(text=st.text(st.sampled_from("ab\n\r"), max_size=60), cuts=st.sets(st.integers(0, 60)))
@STEADY
def test_what_is_printed_in_parts_is_the_same_as_at_once(text: str, cuts: set[int]) -> None:
    whole, parts = Ear(), Ear()
    whole.speaker.write("stdout", text)
    places = sorted({0, *cuts, len(text)})
    for at, to in pairwise(places):
        parts.speaker.write("stdout", text[at:to])
    assert [line.text for line in parts.lines()] == [line.text for line in whole.lines()]


def test_a_progress_bar_is_one_line() -> None:
    ear = Ear()
    for percent in range(101):
        ear.speaker.write("stderr", f"\r{percent} %")
    ear.speaker.write("stderr", "\n")
    assert [(line.level, line.text) for line in ear.lines()] == [("stderr", "100 %")]


def test_a_line_without_end_takes_no_more_memory_than_a_long_one() -> None:
    ear = Ear()
    for _ in range(100):
        ear.speaker.write("stdout", "x" * 10_000)
    assert [len(line.text) for line in ear.lines()] == [MAX_TEXT]


def test_what_was_said_in_another_process_is_relayed_as_it_is() -> None:
    there, here = Ear(LogLimits(1, 1000)), Ear()
    for text in "abc":
        there.speaker.overhear("info", text)
    news = there.speaker.take()
    here.speaker.relay(news.rows, there.speaker.dropped)
    there.speaker.close()
    here.speaker.relay(there.speaker.take().rows, there.speaker.dropped)
    assert here.told == 1
    assert [line.level for line in here.lines()] == ["info", "cut", "cut"]
    assert here.speaker.dropped == 2


def test_news_are_told_once_until_they_are_taken() -> None:
    ear = Ear()
    ear.speaker.overhear("info", "a")
    ear.speaker.progress(b"1")
    ear.speaker.progress(b"2")
    assert ear.told == 1
    news = ear.speaker.take()
    assert (news.progress, news.first) == (b"2", 1)
    ear.speaker.overhear("info", "b")
    assert ear.told == 2
    ear.speaker.close()
    assert ear.speaker.take().first == 2
    ear.speaker.overhear("info", "c")
    ear.speaker.progress(b"3")
    assert not ear.speaker.has_news, "who has ended says nothing more"


def test_what_is_logged_is_heard_once_however_many_handlers_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = [logging.StreamHandler(io.StringIO()) for _ in range(2)]
    monkeypatch.setattr(logging.getLogger(), "handlers", handlers)
    for name in joblog.STREAMS:
        monkeypatch.setattr(sys, name, getattr(sys, name))
    overheard.listen()
    ear = Ear()
    with running(JobContext(id="a", voice=ear.speaker)):
        logging.getLogger("library").warning("once")
    assert [(line.level, line.text) for line in ear.lines()] == [("warning", "once")]
    assert [handler.stream.getvalue() for handler in handlers] == ["once\n"] * 2


def test_who_listened_is_free_when_a_voice_is_closed(collector_off: None) -> None:
    """What hears a run knows the run, which knows its voice; were that ring kept, each job would wait for the garbage collector."""
    ear = Ear()
    ear.speaker.overhear("info", "heard")
    ear.speaker.close()
    gone = weakref.ref(ear)
    del ear
    assert gone() is None
