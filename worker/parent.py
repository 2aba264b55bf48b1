"""``python -m worker``: the parent. It keeps the worker's life in Redis, and its children at work; it runs no user code.

    hear -> reap -> settle -> beat -> watch -> staff -> obey     (DESIGN 4, rules 4 and 6; one thread, a turn at least every 0.5 s)

If it dies, its children die with it, and a keeper takes its leases back. RQ's tools see it as one of theirs.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import redis
from rq.command import handle_command, parse_payload
from rq.serializers import JSONSerializer
from rq.utils import now as utc_now
from rq.worker.base import BaseWorker

from millpond import broker, logs
from millpond.errors import BadSetting
from millpond.moves import Arg
from millpond.settings import WorkerSettings, load
from worker.commands import Commands
from worker.crew import Crew
from worker.measures import measures
from worker.standing import Standing

_LEAVE_S: Final = 3.0  # for Redis to answer the last hand_back; after that, keepers take the leases back

log = logs.get("worker.parent")


class Parent(BaseWorker):
    """RQ's worker, of which only the name, the display and the commands are used; the rest of RQ's worker is ours."""

    def __init__(self, settings: WorkerSettings) -> None:
        connection = broker.connect(settings.redis_url)
        super().__init__(list(settings.queues), connection=connection, serializer=JSONSerializer, prepare_for_work=False)
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.birth_date = self.last_heartbeat = utc_now()
        self._measures = measures(settings)
        self._standing = Standing(connection, self.name, settings.queues, self._display, self._measures.redis_lost)
        self._crew = Crew(settings, self.name, self._standing, self._measures)
        self._commands = Commands(connection, self.pubsub_channel_name)
        self._health = Path(settings.health_file) if settings.health_file else None
        self._grace_s = settings.grace_s
        self._kill_at = self._leave_by = 0.0
        self._ears, self._mouth = socket.socketpair()

    def run(self) -> int:
        """Turn until a signal or RQ's shutdown command has been obeyed; answers the exit status."""
        self._listen_for_signals()
        log.info("worker_started", worker=self.name, queues=self.queue_names(), pid=self.pid)
        while not self._done():
            self._turn()
        self._commands.close()
        log.info("worker_ended", worker=self.name)
        return 2 if self._crew.refused else 0

    def _turn(self) -> None:
        self._wait()
        now = time.monotonic()
        self._crew.hear()
        self._crew.reap(now)
        if self._crew.refused and not self._crew.draining:
            self._stop()
        self._standing.settle(now)
        if not self._standing.beat(now, self._crew.live()):
            self._crew.forgotten()
        self._crew.confirm()
        self._crew.watch(now)
        self._crew.staff(now)
        self._measures.look(self._crew.children, now)
        self._drain(now)
        self._obey(now)
        if self._health:
            self._health.touch()

    def _obey(self, now: float) -> None:
        """Carry out commands; not while Redis is away, when a look would only delay the next heartbeat."""
        if self._standing.reached:
            for message in self._commands.hear(now):
                self.handle_payload(message)

    def _wait(self) -> None:
        """Sleep until a signal, a child's word or end, or the next heartbeat."""
        ears = [self._ears.fileno(), *(child.pipe.fileno() for child in self._crew.children)]
        select.select(ears, [], [], self._standing.wait_s(time.monotonic()))
        try:
            heard = self._ears.recv(4096)
        except BlockingIOError:
            return
        for _ in range(heard.count(signal.SIGTERM) + heard.count(signal.SIGINT)):
            self._stop()

    def _stop(self) -> None:
        """First: finish what runs within the grace. Again: end at once."""
        now = time.monotonic()
        if self._crew.draining:
            self._kill_at = now
            return
        log.info("worker_draining", grace_s=self._grace_s)
        self._kill_at = now + self._grace_s
        self._crew.drain()

    def _drain(self, now: float) -> None:
        if not self._crew.draining:
            return
        if self._crew.children:
            if now >= self._kill_at:
                self._crew.kill()
        elif not self._leave_by:
            self._leave_by = now + _LEAVE_S
            self._standing.leave()

    def _done(self) -> bool:
        return bool(self._leave_by) and (self._standing.settled or time.monotonic() > self._leave_by)

    def _listen_for_signals(self) -> None:
        for end in (self._ears, self._mouth):
            end.setblocking(False)
        signal.set_wakeup_fd(self._mouth.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)  # the wake-up descriptor tells which

    # -- what RQ's tools see and command ------------------------------------------------------------------------------------

    def _display(self) -> Mapping[str, Arg]:
        return {name: value if value is not None else "" for name, value in self.serialize().items()}

    def _set_connection(self, connection: redis.Redis) -> redis.Redis:
        """Leave the time-outs as they are: RQ would raise them to 415 s."""
        return connection

    def handle_payload(self, message: dict[str, Any]) -> None:
        """Obey one command of RQ's; a message that is none is logged."""
        try:
            payload = parse_payload(message)
            if payload["command"] == "stop-job":
                self._say_stop("job", str(payload["job_id"]))  # RQ's own handler knows of one running job only
            else:
                handle_command(self, payload)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("command_refused", error=repr(error))

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop one execution, wherever it runs."""
        self._say_stop("execution", execution_id)

    def _say_stop(self, kind: str, id: str) -> None:
        if len(id.split()) == 1:
            log.info("stop_commanded", kind=kind, id=id)
            self._crew.say("stop", kind, id)

    @property
    def horse_pid(self) -> int:
        """A child's pid: RQ looks whether there is one before it commands to kill it."""
        return next((child.pid for child in self._crew.children), 0)

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the children; they are replaced at once, and what they ran runs again."""
        self._crew.kill()


def main() -> None:
    """Run a worker until it is told to end."""
    settings = load(WorkerSettings)
    logs.configure("worker", settings.log_level)
    try:
        parent = Parent(settings)
    except BadSetting as error:
        print(error.detail, file=sys.stderr)
        sys.exit(2)
    sys.exit(parent.run())
