"""Every line is one JSON object, whoever logs and whatever is in it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from millpond import logs

ROOT = Path(__file__).parents[2]


def run(script: str, level: str = "info") -> list[dict[str, Any]]:
    """The lines of a process that logs."""
    code = f"import logging\nfrom millpond import logs\nlogs.configure('api', {level!r})\nlog = logs.get('ours')\n{script}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, cwd=ROOT, check=False)
    assert done.stderr == b""
    assert done.stdout.isascii()
    return [json.loads(line, parse_constant=lambda word: 1 / 0) for line in done.stdout.splitlines()]


def test_our_events() -> None:
    (line,) = run("with logs.bind(job_id='a1'): log.info('job_submitted', queue='q', count=3)")
    assert list(line)[:4] == ["timestamp", "level", "service", "event"]
    assert line["timestamp"].endswith("Z")
    assert {name: line[name] for name in line if name != "timestamp"} == {
        "level": "info",
        "service": "api",
        "event": "job_submitted",
        "logger": "ours",
        "job_id": "a1",
        "queue": "q",
        "count": 3,
    }


def test_libraries_speak_the_same() -> None:
    names = ("gunicorn.error", "tornado.access", "rq.worker", "alembic.runtime.migration", "sqlalchemy.engine")
    lines = run(
        f"with logs.bind(job_id='a1'):\n  for name in {names}: logging.getLogger(name).warning('hello %s', name, extra={{'size': 1}})"
    )
    assert [(line["event"], line["logger"], line["job_id"], line["size"]) for line in lines] == [
        (f"hello {name}", name, "a1", 1) for name in names
    ]


def test_levels() -> None:
    script = "log.debug('a'); log.info('b'); log.warning('c'); logging.getLogger('x').info('d'); logging.getLogger('x').error('e')"
    assert [line["event"] for line in run(script, "warning")] == ["c", "e"]
    assert [line["event"] for line in run(script, "debug")] == ["a", "b", "c", "d", "e"]


def test_exceptions_are_one_field() -> None:
    script = "try: 1 / 0\nexcept ZeroDivisionError:\n  log.exception('broke'); logging.getLogger('x').exception('broke')"
    for line in run(script):
        assert line["exception"].startswith("Traceback (most recent call last):\n")
        assert line["exception"].endswith("ZeroDivisionError: division by zero")


def test_the_end_of_a_long_exception_is_kept() -> None:
    (line,) = run("try: raise ValueError('x' * 50_000 + 'end')\nexcept ValueError: log.exception('broke')")
    assert len(line["exception"]) == logs.MAX_EXCEPTION
    assert line["exception"].endswith("end")


def test_hostile_values() -> None:
    script = r"""
class Bad:
    def __repr__(self): return 'bad\n' * 5000
log.info('e\nvent', text='a\r\n{"level":"fake"}\x1b[31m\u2028\ud800\0', big='x' * 10**6, nan=float('nan'), bad=Bad(),
         many=list(range(10**5)), nested={'a': float('inf'), 5: [[1] * 1000], 'b': {'c': 'd'}}, data=b'\xff', number=10**400)
"""
    (line,) = run(script)
    assert line["event"] == "e\nvent"
    assert line["text"] == 'a\r\n{"level":"fake"}\x1b[31m\u2028\ud800\0'
    assert len(line["big"]) == logs.MAX_FIELD + 3
    assert (line["nan"], line["nested"]["a"]) == ("nan", "inf")
    assert all(len(json.dumps(value)) < 3 * logs.MAX_FIELD for value in line.values())


def test_a_librarys_broken_call_is_a_line_too() -> None:
    line, after = run("logging.getLogger('x').info('%d', 'one'); log.info('after')")
    assert (line["event"], line["of"], line["line"]) == ("log_failed", "x", "'%d'")
    assert after["event"] == "after"


def test_how_a_process_and_a_thread_died() -> None:
    thread, main = run("import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()\nraise KeyError('main')")
    for line, error in ((thread, "ZeroDivisionError: division by zero"), (main, "KeyError: 'main'")):
        assert (line["event"], line["level"]) == ("process_died", "critical")
        assert line["exception"].endswith(error)


def test_a_closed_pipe_ends_no_process() -> None:
    code = "from millpond import logs\nlogs.configure('api')\nfor n in range(10_000): logs.get('x').info('line', n=n)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        # The interpreter itself answers 120 where the last flush of standard output fails.
        assert process.wait(60) in (0, 120)
    assert os.name == "posix"
