"""``python -m worker.child``: the process that holds users' code and runs it. Started by the parent alone, as a fresh interpreter."""

import argparse
import gc
import os
import signal
import socket
import sys

from millpond import failpoint, loader, logs
from millpond.errors import BadSetting
from millpond.settings import WorkerSettings, load
from worker import lifeline
from worker.claims import Claims
from worker.deadlines import Deadlines
from worker.dependents import Dependents
from worker.desk import Desk, Me
from worker.finishes import Finishes
from worker.inbox import Inbox
from worker.leases import Leases
from worker.loop import Loop, Parts
from worker.pipe import Pipe
from worker.pool import Pool
from worker.publisher import Publisher
from worker.shared import Shared
from worker.starts import Starts
from worker.waker import Waker
from worker.wire import Wire

log = logs.get("worker.child")


def main() -> None:
    """Load users' modules, then turn the loop until the parent says drain and nothing is held."""
    options = _options()
    lifeline.die_with_parent(options.parent)
    settings = load(WorkerSettings)
    logs.configure("worker", settings.log_level)
    failpoint.configure(settings.failpoint)
    # A Ctrl-C reaches the whole terminal's group; the parent leads. Not SIG_IGN, which programs that a task starts would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        _work(options, settings)
    except BadSetting as error:
        log.error("tasks_refused", error=error.detail)
        _leave(2)
    except BaseException:
        log.exception("child_broke")
        _leave(1)
    _leave(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="worker.child", description=__doc__)
    parser.add_argument("--worker", required=True, help="the parent's name")
    parser.add_argument("--generation", type=int, required=True)
    parser.add_argument("--alone", action="store_true", help="serve mp:alone, in one slot")
    parser.add_argument("--parent", type=int, required=True, help="the parent's pid")
    parser.add_argument("--pipe", type=int, required=True, help="file descriptor of the pipe")
    parser.add_argument("--shared", type=int, required=True, help="file descriptor of the shared cells")
    return parser.parse_args()


def _work(options: argparse.Namespace, settings: WorkerSettings) -> None:
    me = Me(options.worker, options.generation, settings.queues, options.alone)
    tasks = loader.load(settings.tasks)
    inbox, pipe = Inbox(), Pipe(socket.socket(fileno=options.pipe))
    lifeline.listen(pipe, inbox)
    size = 1 if me.alone else settings.concurrency
    desk = Desk(me, Pool(size, settings.max_result_bytes, inbox), Shared(options.shared))
    waker = Waker(settings.redis_url, me.queues, inbox)
    dependents = Dependents(settings.redis_url)
    claims = Claims(desk, waker, 0 if me.alone else _prefetch(settings))
    parts = Parts(Starts(desk, tasks), Finishes(desk, dependents.release), Leases(desk, claims), claims, Deadlines(desk))
    loop = Loop(desk, Wire(settings.redis_url), inbox, pipe, parts)
    if not me.alone:
        waker.start()
        Publisher(settings.redis_url, tasks).start()
    gc.collect()
    gc.freeze()  # what was imported stays; no collection need look at it again
    log.info("child_ready", generation=me.generation, alone=me.alone, tasks=sorted(tasks))
    pipe.say("ready")
    loop.run()
    dependents.wait()


def _prefetch(settings: WorkerSettings) -> int:
    return settings.prefetch if settings.prefetch >= 0 else max(1, settings.concurrency // 4)


def _leave(code: int) -> None:
    """End without waiting for threads whose functions never end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
