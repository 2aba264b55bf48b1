"""The process that holds users' code and runs it (``worker.entry``). Started by the parent alone, as a fresh interpreter."""

import gc
import os
import signal
import socket
import sys
from threading import Thread

from millpond import failpoint, loader, logs
from millpond.errors import BadSetting
from worker import lifeline, overheard
from worker.claims import Claims
from worker.counts import Counts
from worker.deadlines import Deadlines
from worker.dependents import Dependents
from worker.desk import Desk, Me
from worker.displays import Displays
from worker.finishes import Finishes
from worker.inbox import Inbox, Spoke, Told
from worker.leases import Leases
from worker.loop import Loop, Parts
from worker.orders import Orders
from worker.pipe import Pipe
from worker.pool import Pool
from worker.publisher import Publisher
from worker.reports import Reports
from worker.run import Ears
from worker.shared import Shared
from worker.starts import Starts
from worker.voice import LogLimits
from worker.waker import Waker
from worker.will import Will
from worker.wire import Wire

log = logs.get("worker.child")


def main() -> None:
    """Load users' modules, then turn the loop until the parent says drain and nothing is held."""
    orders = Orders.load(sys.stdin.buffer.read())
    lifeline.die_with_parent(orders.parent)
    logs.configure("worker", orders.log_level)
    failpoint.configure(orders.failpoint)
    # A Ctrl-C reaches the whole terminal's group; the parent leads. Not SIG_IGN, which programs that a task starts would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        _work(orders)
    except BadSetting as error:
        log.error("tasks_refused", error=error.detail)
        _leave(2)
    except BaseException:
        log.exception("child_broke")
        _leave(1)
    _leave(0)


def _work(orders: Orders) -> None:
    tasks = loader.load(orders.tasks)
    overheard.listen()
    inbox, pipe = Inbox(), Pipe(socket.socket(fileno=orders.pipe))
    Thread(target=_listen, args=(pipe, inbox), name="lifeline", daemon=True).start()
    me = Me(orders.worker, orders.generation, orders.queues, orders.alone)
    ears = Ears(LogLimits(orders.max_log_lines, orders.max_log_bytes), lambda run: inbox.put(Spoke(run)))
    desk = Desk(me, Pool(orders, tasks, inbox), Shared(orders.shared), Will(orders.will), ears)
    waker = Waker(orders.redis_url, () if me.alone else me.queues)  # tokens are for those who serve the queues
    dependents = Dependents(orders.redis_url)
    counts = Counts(desk, pipe)
    if orders.measured:
        desk.ended = counts.ended
    claims = Claims(desk, waker, orders.prefetch)
    finishes = Finishes(desk, dependents.release)
    parts = Parts(Starts(desk, tasks), Displays(desk), Reports(desk), finishes, Leases(desk, claims), claims, Deadlines(desk), counts)
    loop = Loop(desk, Wire(orders.redis_url), inbox, pipe, parts)
    if not me.alone:
        Publisher(orders.redis_url, tasks).start()
    gc.collect()
    gc.freeze()  # what was imported stays; no collection need look at it again
    log.info("child_ready", generation=me.generation, alone=me.alone, tasks=sorted(tasks))
    pipe.say("ready")
    loop.run()
    dependents.wait()
    desk.pool.close()


def _listen(pipe: Pipe, inbox: Inbox) -> None:
    """Carry the parent's words to the inbox; end the process when the parent's end is closed."""
    try:
        while True:
            for words in pipe.hear():
                inbox.put(Told(words))
    except EOFError:
        os._exit(1)


def _leave(code: int) -> None:
    """End without waiting for threads whose functions never end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
