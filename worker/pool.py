"""The slots of a child: what runs in them, whatever carries it out, and how it is told to end."""

import math
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from millpond.errors import BadSetting
from millpond.task import Task
from worker.carrier import Carrier, Turned
from worker.coroutines import Coroutines
from worker.dues import Dues
from worker.errand import RunnerOrders
from worker.inbox import Inbox
from worker.orders import Orders
from worker.pool_thread import ThreadPool
from worker.run import Run
from worker.stop import Stop

_ON_LOOP: Final = "loop"


class Pool:
    """`orders.slots` slots. All methods are called by the child's loop; ends arrive in the inbox.

    `runs`: what is in the slots, and `dues`: when that is over its time. `left`: what was told to end and goes on, without a slot.
    `typical_s`: how long a function takes of late, in its carrier's queue and out. Raises BadSetting where a pool cannot be had,
    RuntimeError where no runner starts.
    """

    def __init__(self, orders: Orders, tasks: Mapping[str, Task], inbox: Inbox) -> None:
        self.size = orders.slots
        self._orders, self._inbox = orders, inbox
        self._carriers: dict[str, Carrier] = {}
        self._turned: list[Turned] = []
        self.typical_s = 1.0
        self.runs: set[Run] = set()
        self.left: set[Run] = set()
        self.dues = Dues(self.runs)
        _refuse_missing(orders, tasks)
        self._carrier(orders.pool).warm()

    @property
    def free(self) -> int:
        """Slots in which nothing runs."""
        return self.size - len(self.runs)

    @property
    def worn(self) -> bool:
        """Whether so many functions were left running that the process should be replaced."""
        return len(self.left) * 2 >= self.size

    @property
    def due_at(self) -> float:
        """When the first of what runs is over its time; inf: nothing ever is."""
        return min([self.dues.first(), *(run.deadline for run in self.dues.stopping())])

    def start(self, run: Run) -> None:
        """Call its function now."""
        self.runs.add(run)
        self.dues.add(run)
        run.carrier = self._carrier(_ON_LOOP if run.on_loop else run.task.pool or self._orders.pool)
        run.carrier.start(run)

    def stop(self, run: Run, why: Stop) -> None:
        """Tell its function to end, once."""
        if run.stop:
            return
        run.stop, run.stopped_at = why, time.monotonic()
        self.dues.stop(run)
        run.carrier.interrupt(run)

    def leave(self, run: Run) -> bool:
        """End by force what did not end when told. True: it goes on without a slot; False: its end comes at once."""
        run.forced = True
        left: bool = run.carrier.leave(run)
        if left:
            self.runs.discard(run)
            self.left.add(run)
        return left

    def end(self, run: Run) -> None:
        """Its function ended: its slot is free."""
        if run in self.runs:
            self.typical_s += 0.1 * (time.monotonic() - run.began_at - self.typical_s)
        self.runs.discard(run)
        self.left.discard(run)

    @property
    def bells(self) -> list[int]:
        """Descriptors, readable when `turn` has something to do."""
        return [one.bell for one in self._turned]

    @property
    def next_at(self) -> float:
        """When to turn though no bell rang; inf: never."""
        return min([one.next_at for one in self._turned], default=math.inf)

    def turn(self) -> None:
        """Let those carriers work that have no thread of their own."""
        for one in self._turned:
            one.turn()

    def close(self) -> None:
        """Nothing runs any more: end the runners."""
        for carrier in self._carriers.values():
            carrier.close()

    def _carrier(self, name: str) -> Carrier:
        """Made when first needed: a pool that no task asks for costs nothing."""
        return self._carriers.get(name) or self._carriers.setdefault(name, self._make(name))

    def _make(self, name: str) -> Carrier:
        orders = self._orders
        if name == _ON_LOOP:
            return Coroutines(orders.max_result_bytes, self._inbox)
        if name == "thread":
            return ThreadPool(orders.slots, orders.max_result_bytes, self._inbox)
        from worker.runners import Kind, Runners, Wear  # the price of starting processes is paid where one is

        kind = Kind("worker.runner", orders.slots, 1) if name == "process" else Kind("worker.hub", 1, orders.slots)
        told = RunnerOrders.of(orders)
        runners = Runners(kind, told, Wear(orders.runner_jobs, orders.runner_memory_mb), self._inbox)
        self._turned.append(runners)
        return runners


def _refuse_missing(orders: Orders, tasks: Mapping[str, Task]) -> None:
    wanted: dict[str, str] = {one.pool: f"Task {one.name!r}" for one in tasks.values() if one.pool}
    wanted[orders.pool] = "MILLPOND_POOL"
    if "gevent" in wanted and find_spec("gevent") is None:
        raise BadSetting(f"{wanted['gevent']} asks for the pool gevent, and gevent is not installed.")
