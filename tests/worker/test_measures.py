"""What a worker tells of itself over HTTP: counts that its children's deaths do not take away."""

import re
import socket
import urllib.request

from tests.processes import free_port
from tests.until import until
from tests.worker.mill import Mill, Worker

LABELS = re.compile(r'(\w+)="([^"]*)"')


def scraped(port: int) -> dict[str, float]:
    """Each sample of a worker by its name without the prefix, and its labels' values by the labels' names: ``jobs_total finished nap``."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = [line.partition("{") if "{" in line else (line.partition(" ")[0], "", line) for line in answer.read().decode().splitlines()]
    found = {}
    for name, _, rest in lines:
        if name.startswith("millpond_"):
            labels = " ".join(value for _, value in LABELS.findall(rest.partition("}")[0]))
            found[f"{name.removeprefix('millpond_')} {labels}".strip()] = float(rest.rsplit(" ", 1)[-1])
    return found


def worker(mill: Mill, port: int, max_log_lines: int = 10) -> Worker:
    return mill.worker(metrics_port=port, concurrency=4, prefetch=0, max_log_lines=max_log_lines)


def test_jobs_by_outcome_their_times_and_what_they_said(mill: Mill) -> None:
    port = free_port()
    with worker(mill, port, max_log_lines=2):
        for id in mill.submit_many("echo", [(number,) for number in range(10)]):
            mill.wait(id)
        mill.wait(mill.submit("fail"), "failed")
        mill.wait(mill.submit("nothing of ours"), "failed")
        mill.wait(mill.submit("flood", 5))
        until(lambda: scraped(port).get("jobs_total finished flood"), 3, "the counts have arrived")
        seen = scraped(port)
    expected = {"finished echo": 10, "task_error fail": 1, "unknown_task": 1, "finished flood": 1}
    assert {name: seen[f"jobs_total {name}"] for name in expected} == expected
    for kind in ("run", "wait"):
        assert seen[f"{kind}_seconds_count echo"] == seen[f"{kind}_seconds_bucket +Inf echo"] == 10
        assert 0 < seen[f"{kind}_seconds_sum echo"] < 40
    assert (seen["log_lines_total"], seen["log_dropped_total"]) == (2, 3)
    assert (seen["slots"], seen["child_deaths_total"]) == (4, 0)


def test_what_is_held_now_and_what_outlives_a_child(mill: Mill) -> None:
    port = free_port()
    with worker(mill, port) as one:
        mill.wait(mill.submit("echo", 1))
        mill.submit_many("nap", [(mill.file, 60.0)] * 3)
        until(lambda: scraped(port)["busy_slots"] == 3, 5, "three run")
        until(lambda: scraped(port)["oldest_claim_seconds"] > 1, 5, "the claim grows older")
        (child,) = one.children
        mill.wait(mill.submit("die", mill.file, 1), timeout_s=20)
        assert child not in one.children
        until(lambda: scraped(port).get("jobs_total finished die"), 5, "the next child counts on")
        seen = scraped(port)
    assert seen["jobs_total finished echo"] == 1
    assert seen["child_deaths_total"] == 1
    assert seen["retries_total die"] == 1


def test_a_port_that_is_taken_is_refused(mill: Mill) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        refused = worker(mill, taken.getsockname()[1]).launch()
        until(lambda: not refused.alive, 10, "it ends")
    assert refused.returncode == 2
    assert "MILLPOND_METRICS_PORT" in refused.output()
