"""One peer: its queue is filled while nobody may take from it, its worker waits, and then it may have the jobs."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from loadtest.stage import NO_LIMIT, REST, ROOT, SERVER, Process, RedisServer, Stage, pinned, stop, wait
from loadtest.worker.contenders import Contender
from loadtest.worker.measure import PATIENCE_S, Round, Sample, measure, rewrite, settle


class Peers:
    """All of them, one at a time, with a Redis that has the settings of Millpond's own. `rest_s`: see `settle`."""

    def __init__(self, stage: Stage, rest_s: float) -> None:
        self._stage, self._rest_s = stage, rest_s
        self.server: RedisServer = stage.redis("peers", NO_LIMIT | {"appendfsync": "everysec"})

    def run(self, one: Contender, jobs: int) -> Sample:
        """No-op jobs that all wait already."""
        with self.server.client() as client:
            client.flushall()
            self.call(one, "put", str(jobs))
            go = _set_aside(client, one.queue)
            with self.crew(one) as workers:
                rewrite(self.server)
                return measure(
                    Round(
                        title=one.title,
                        jobs=jobs,
                        workers=workers,
                        server=self.server,
                        waiting=one.waiting,
                        ended=one.ended,
                        go=go,
                    )
                )

    def clear(self) -> None:
        """Delete what the last one left."""
        with self.server.client() as client:
            client.flushall()

    @contextmanager
    def crew(self, one: Contender) -> Iterator[Sequence[Process]]:
        """Its worker, started and idle; ended with the block."""
        with self.server.client() as client:
            before = client.info("clients")["connected_clients"]
            worker = self._stage.run(*one.command, core=SERVER, python=str(one.python), PEER_REDIS_PORT=str(self.server.port))
            wait(lambda: client.info("clients")["connected_clients"] > before, f"{one.title} is there")
        settle([worker], self._rest_s)
        yield [worker]
        stop(worker)

    def call(self, one: Contender, *words: str) -> bytes:
        """Let its module of loadtest.peers put or pace jobs; what it printed."""
        return call(one, *words, PEER_REDIS_PORT=str(self.server.port))


def call(one: Contender, *words: str, **env: str) -> bytes:
    """The same, with an environment of its own. Raises RuntimeError with what it said if it fails."""
    command = [*pinned(REST), str(one.python), "-m", f"loadtest.peers.{one.peer}", *words]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{one.title}, {words}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def _set_aside(client: redis.Redis, queue: str) -> Callable[[], object]:
    """Take what waits out of the workers' reach; the answer puts it back. A stream is written anew, as a group of readers lies in it."""
    if client.type(queue) != b"stream":
        client.rename(queue, "aside")
        return lambda: client.rename("aside", queue)
    entries: Any = client.xrange(queue)
    client.delete(queue)
    back = client.pipeline()
    for _, fields in entries:
        back.xadd(queue, fields)
    return back.execute
