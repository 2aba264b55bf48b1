"""The helpers that every script begins with."""

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millpond import broker, moves
from millpond.scripts import load, spell
from tests.millpond.scripts.pond import STEADY, Pond
from tests.proxy import RedisProxy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VERBS = sorted(entry.name.removesuffix(".lua") for entry in files("millpond.scripts").iterdir() if entry.name.endswith(".lua"))


@given(moment=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)))
@example(moment=datetime(1969, 12, 31, 23, 59, 59, 999_000))
@example(moment=datetime(2000, 2, 29))
@example(moment=datetime(2100, 3, 1))
@settings(STEADY, max_examples=500)
def test_dates_are_those_of_datetime_and_read_again(pond: Pond, moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    ms = (moment - EPOCH) // timedelta(milliseconds=1)
    helpers = (files("millpond.scripts") / "common" / "base.lua").read_text()
    there_and_back = f"{helpers}\nlocal date = utc(tonumber(ARGV[1]))\nreturn {{date, int(ms_of(date))}}"
    written, read = pond.ask("EVAL", spell(there_and_back), 0, ms)
    assert (written.decode(), int(read)) == (moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").zfill(27), ms)


@pytest.mark.parametrize(
    ("date", "ms"),
    [("2026-11-23T01:02:03Z", 1_795_395_723_000), ("2026-11-23T01:02:03.123456Z", 1_795_395_723_123), ("soon", None), ("", None)],
)
def test_a_date_may_be_another_s(pond: Pond, date: str, ms: int | None) -> None:
    helpers = (files("millpond.scripts") / "common" / "base.lua").read_text()
    read = pond.ask("EVAL", spell(f"{helpers}\nlocal ms = ms_of(ARGV[1])\nreturn ms and int(ms)"), 0, date)
    assert (read and int(read)) == ms


def test_every_script_but_those_that_let_in_runs_on_a_full_redis() -> None:
    without = [verb for verb in VERBS if not load(verb).text.startswith("#!lua flags=allow-oom\n")]
    assert without == ["append", "begin", "submit"]


CALLS: list[moves.Call[Any]] = [
    moves.register("w1", 1, ["default"], {}),
    moves.heartbeat("w1"),
    moves.submit([], 24),
    moves.begin("a" * 24, b"", 24, 0),
    moves.append("a" * 24, moves.Lines(0, 0, b"")),
    moves.survey("a" * 24),
    moves.call_off("a" * 24, 1),
    moves.claim("w1", 1, 5, ["default"]),
    moves.start("w1", 1, [("a", "e")]),
    moves.display("w1", [("a", "e")]),
    moves.compare("w1", 1, ["default"]),
    moves.report([moves.Report("i", "e", b"{}", "l:1:1:1", b"[]")]),
    moves.finish("w1", 1, [moves.Outcome("a", "e", "finished")]),
    moves.hand_back("w1", 1, "items", items=[("a", "e")]),
    moves.tick(),
    moves.take_back("w1"),
    moves.promote(),
    moves.set_free(0),
    moves.reconcile(0),
    moves.recorded([moves.Committed("a", 1)]),
    moves.forget(),
    moves.enroll(),
    moves.cancel("a"),
    moves.retry("a"),
    moves.listen("a", "c"),
    moves.glance([("a", 1)]),
    moves.pause("default"),
    moves.resume("default"),
]


def test_every_script_has_a_move() -> None:
    assert sorted({call.script.name for call in CALLS}) == VERBS


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.script.name)
def test_a_move_is_one_round_trip(pond: Pond, call: moves.Call[Any]) -> None:
    pond.run(call)  # so that Redis knows the script
    with RedisProxy(pond.client.connection_pool.connection_kwargs["port"]) as proxy, broker.connect(proxy.url) as client:
        client.ping()
        proxy.turns.clear()
        proxy.counts.clear()
        broker.run(client, call)
        assert proxy.turns == proxy.counts == {call.script.name: 1}


def test_a_script_that_redis_does_not_know_is_loaded_by_the_call(pond: Pond) -> None:
    pond.ask("SCRIPT", "FLUSH")
    assert pond.run(moves.tick()) == []
    assert pond.ask("SCRIPT", "EXISTS", load("tick").sha) == [True]


@pytest.mark.parametrize("verb", ["claim", "start", "finish"])
def test_what_few_calls_need_is_not_made_by_the_others(verb: str) -> None:
    text = load(verb).text
    stubs = re.findall(r"^local function (\w+)\(\.\.\.\) return rare\(\)", text, re.MULTILINE)
    common, rare = text.split("\nrare = function()\n")
    for name in stubs:
        assert re.search(rf"^(local function {name}\b|{name} = )", rare, re.MULTILINE), "it is defined there"
        assert len(re.findall(rf"^(?:local function {name}\b|{name} = )", common, re.MULTILINE)) == 1, "and there alone"
    assert {"conclude", "gates"} & set(stubs)


def test_names_are_the_same_in_lua_and_python(pond: Pond) -> None:
    heads = spell("return {OPEN, JOB .. 'JOB', WIP, EVENTS}")
    assert pond.ask("EVAL", heads, 0) == [b"mp:open", b"rq:job:JOB", b"rq:wip:", b"mp:events"]
