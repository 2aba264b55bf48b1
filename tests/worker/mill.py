"""A worker on a real Redis, with jobs put in and read by the moves themselves; and a keeper, for what only keepers do."""

import json
import os
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import redis

from millpond import broker, codec, moves
from millpond.errors import NotDone, OutcomeUnknown
from millpond.job import new_id
from tests.processes import ROOT, Process, children, exists
from tests.until import until

TASKS = ROOT / "tests" / "worker" / "tasks"


class Worker(Process):
    """``python -m worker`` with the module `chores`, or others from the log's folder. Settings by their names after MILLPOND_, in
    small letters."""

    def __init__(self, log: Path, redis_url: str, **settings: object) -> None:
        env = {"REDIS_URL": redis_url, "TASKS": "chores", **{name.upper(): value for name, value in settings.items()}}
        named = {f"MILLPOND_{name}": str(value) for name, value in env.items()}
        super().__init__([sys.executable, "-m", "worker"], log, {**named, "PYTHONPATH": f"{TASKS}:{log.parent}"})

    def with_hang_after(self, seconds: float) -> Self:
        """As it is, but a child's loop that did not turn for `seconds` hangs."""
        text = f"import worker.crew; worker.crew.HUNG_S = {seconds}; from worker.parent import main; main()"
        self.command = [sys.executable, "-c", text]
        return self

    def ready(self) -> bool:
        return bool({"child_ready", "child_ended"} & set(self.events()))

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Its log, or the lines of one event."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if event in ("", line["event"])]

    def events(self) -> list[str]:
        """The events of its log."""
        return [line["event"] for line in self.lines()]

    @property
    def name(self) -> str:
        """The name under which Redis knows it."""
        return str(self.lines("worker_started")[0]["worker"])

    @property
    def children(self) -> list[int]:
        """Its children's pids."""
        return children(self.pid)

    def close(self) -> None:
        own = self.children if self.alive else []
        super().close()
        # They die with their parent; a test in which they did not must not leave them behind.
        until(lambda: not any(exists(pid) for pid in own), 5, "the children died with their parent")


@dataclass(frozen=True, slots=True)
class Note:
    """A line that a task wrote."""

    job: str
    attempt: int
    pid: int
    word: str
    at: float


class Mill:
    """Jobs in one Redis, seen by its own client."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url, socket_timeout=5)
        self.file = str(folder / "notes")
        self._folder = folder
        self._workers = 0

    def worker(self, url: str = "", **settings: object) -> Worker:
        """A worker, to be used as a context."""
        self._workers += 1
        return Worker(self._folder / f"worker-{self._workers}.log", url or self.url, **settings)

    def submit(self, task: str, *args: Any, queue: str = "default", **fields: moves.Arg) -> str:
        """Put a job; `fields` of its hash. Answers its id."""
        return self.submit_many(task, [args], queue, **fields)[0]

    def submit_many(self, task: str, calls: list[tuple[Any, ...]], queue: str = "default", **fields: moves.Arg) -> list[str]:
        """Put a job for each list of arguments, in one call."""
        basis: dict[str, moves.Arg] = {"task": task, "timeout": 60, "timeout_ms": 60_000}
        jobs = [moves.Submission(new_id(), queue, codec.encode_payload(task, list(args), {}), {**basis, **fields}) for args in calls]
        answers = broker.run(self.client, moves.submit(jobs, 24))
        assert all(one.answer == "accepted" for one in answers)
        return [one.id for one in answers]

    def job(self, id: str) -> dict[str, str]:
        """Its hash."""
        return {name.decode(): value.decode(errors="replace") for name, value in self.client.hgetall(f"rq:job:{id}").items()}  # type: ignore[union-attr]

    def state(self, id: str) -> str:
        """Its state."""
        return (self.client.hget(f"rq:job:{id}", "state") or b"").decode()  # type: ignore[union-attr]

    def wait(self, id: str, *states: str, timeout_s: float = 10.0) -> dict[str, str]:
        """Its hash, once it is in one of these states (finished unless some are named)."""
        wanted = states or ("finished",)
        try:
            until(lambda: self.state(id) in wanted, timeout_s)
        except AssertionError:
            raise AssertionError(f"job {id} is not {' or '.join(wanted)} after {timeout_s} s: {self.job(id)}") from None
        return self.job(id)

    def outcome(self, id: str, attempt: int = 1, run: int = 1) -> dict[str, Any]:
        """The outcome of one attempt."""
        found: dict[str, Any] = json.loads(self.job(id)[f"o:{run}:{attempt}"])
        return found

    def result(self, id: str, timeout_s: float = 10.0) -> Any:
        """What it returned, once it finished."""
        job = self.wait(id, timeout_s=timeout_s)
        return json.loads(job[job["last"]])["body"]["result"]

    def error(self, id: str, *states: str, timeout_s: float = 10.0) -> dict[str, str]:
        """Its error, once it failed (or is in one of these states)."""
        job = self.wait(id, *(states or ("failed",)), timeout_s=timeout_s)
        error: dict[str, str] = json.loads(job[job["last"]])["body"]["error"]
        return error

    def notes(self, word: str = "") -> list[Note]:
        """What tasks wrote, or the lines with one word."""
        if not os.path.exists(self.file):
            return []
        lines = (line.split() for line in Path(self.file).read_text().splitlines())
        found = [Note(job, int(attempt), int(pid), said, float(at)) for job, attempt, pid, said, at in lines]
        return [one for one in found if word in ("", one.word)]

    def begun(self, count: int, timeout_s: float = 10.0) -> list[Note]:
        """The first notes of functions, once there are `count`."""
        until(lambda: len(self.notes("begin")) >= count, timeout_s, f"{count} functions began")
        return self.notes("begin")

    def held(self) -> dict[str, set[str]]:
        """Executions by lease."""
        found = defaultdict(set)
        for key in self.client.scan_iter("mp:leases:*"):
            found[key.decode().removeprefix("mp:leases:")] = {member.decode() for member in self.client.hkeys(key)}  # type: ignore[union-attr]
        return found

    def close(self) -> None:
        """Leave Redis."""
        self.client.close()


class Keeper:
    """Ticks and takes back, as the collector's keeper does, in a thread; use it as a context. `taken`: whom it took back."""

    def __init__(self, url: str) -> None:
        self.taken: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        with broker.connect(self._url) as client:
            while not self._stop.wait(0.5):
                with suppress(NotDone, OutcomeUnknown):  # the next turn does what this one could not
                    self._turn(client)

    def _turn(self, client: redis.Redis) -> None:
        for worker in broker.run(client, moves.tick()):
            if broker.run(client, moves.take_back(worker)) >= 0:
                self.taken.append(worker)
        broker.run(client, moves.promote())


def pss_kb(pid: int) -> int:
    """Memory of a process, shared pages by their share."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")))


def open_files(worker: Worker) -> int:
    """How many files a worker has open, in all its processes."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (worker.pid, *worker.children))


def zombies(worker: Worker) -> list[int]:
    """Processes below a worker that have ended and that nobody has waited for."""
    files = [file for pid in (worker.pid, *worker.children) for file in Path(f"/proc/{pid}/task").glob("*/children")]
    return [pid for file in files for pid in map(int, file.read_text().split()) if not exists(pid)]
