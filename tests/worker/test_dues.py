"""Which of what runs is over its time first: a heap's answer is that of a look at all of it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from millpond.moves import Claimed
from millpond.task import Task
from worker.dues import Dues
from worker.run import Run
from worker.stop import Stop

_TASK = Task(name="t", function=lambda: None)
_MOVES = st.tuples(st.sampled_from(["begin", "end", "stop", "wait", "later", "look"]), st.integers(0, 50), st.integers(1, 9))


def run_until(deadline: float) -> Run:
    run = Run(Claimed("job", "1", {}), _TASK, [], {})
    run.deadline = deadline
    return run


def check(dues: Dues, runs: set[Run]) -> None:
    assert dues.first() == min((one.deadline for one in runs if not one.stop), default=math.inf)
    assert set(dues.stopping()) == {one for one in runs if one.stop}


@given(st.lists(_MOVES, max_size=300))
def test_the_first_is_the_least_of_all(moves: list[tuple[str, int, int]]) -> None:
    runs: set[Run] = set()
    dues = Dues(runs)
    known: dict[Run, float] = {}  # each with the deadline that it had
    for move, which, seconds in moves:
        if move == "begin":
            run = run_until(seconds)
            runs.add(run)
            dues.add(run)
            known[run] = seconds
        elif known and move != "look":
            run = [*known][which % len(known)]
            if move == "end":
                runs.discard(run)
            elif move == "stop" and run in runs and not run.stop:
                run.stop = Stop.CANCELED
                dues.stop(run)
            elif move == "wait":
                run.deadline = math.inf
            elif move == "later" and run.deadline == math.inf:
                known[run] = run.deadline = known[run] + seconds
        check(dues, runs)


def test_what_has_ended_is_not_kept() -> None:
    runs: set[Run] = set()
    dues = Dues(runs)
    lasting = run_until(500.0)
    for number in range(1_000):
        run = run_until(1_000.0 + number)
        runs.add(run)
        dues.add(run)
        runs.discard(run)
        if number == 500:
            runs.add(lasting)
            dues.add(lasting)
    assert len(dues._heap) < 100
    assert dues.first() == 500.0
