"""The rungs, from the lowest: which server each is, and why the next one exists."""

from dataclasses import dataclass

SLOTS = 20  # the article's threads
FORKS = 4
FORKED, REPLICAS = "forked", "millpond-workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One server. `module`: of ``loadtest.ladder.servers``; none: Millpond. `slots`: pieces of work at once, in each of its
    `workers` where it is Millpond. `word`: what it answers after the job's number, `done` or `add`. `works`:
    whether a job is any work. `why`: what is to be seen on it."""

    name: str
    title: str
    why: str
    module: str = ""
    slots: int = SLOTS
    workers: int = 1
    word: str = "done"
    works: bool = True

    @property
    def queues(self) -> bool:
        """Whether it answers before the work is done."""
        return self.word == "add"


RUNGS = (
    Rung(
        name="inline",
        title="nothing to do",
        module="inline",
        slots=1,
        works=False,
        why="The handler only answers. What Tornado itself can do: the height that all others are measured from.",
    ),
    Rung(
        name="blocking",
        title="work in the handler",
        module="blocking",
        slots=1,
        why="A second of work in the handler stops the one loop for a second. Of ten requests at once two are answered within three "
        "seconds; the others are worked off for clients that have left.",
    ),
    Rung(
        name=FORKED,
        title=f"{FORKS} forked processes",
        module="forked",
        slots=FORKS,
        why="Each process is the server above, and the kernel deals the connections out without knowing who is busy. Capacity is bought by "
        "the process, and how even it is is luck.",
    ),
    Rung(
        name="coroutine",
        title="coroutine",
        module="coroutine",
        slots=1,
        why="One process, one thread, every request waits at once, as long as the work is a wait that a library knows how to await. A "
        "function that blocks puts it back two rungs.",
    ),
    Rung(
        name="run_on_executor",
        title=f"run_on_executor, {SLOTS} threads",
        module="run_on_executor",
        why="Any function, in threads, and the loop stays free. It holds as many clients as its threads can serve in their patience, and "
        "then fails like all before it.",
    ),
    Rung(
        name="run_in_executor",
        title=f"run_in_executor, {SLOTS} threads",
        module="run_in_executor",
        why="The same by asyncio's own call, for any function and any executor.",
    ),
    Rung(
        name="process_executor",
        title=f"run_in_executor, {SLOTS} processes",
        module="process_executor",
        why="The same with processes, for work that computes: a core for each, at their price in memory, and only for what pickles.",
    ),
    Rung(
        name="producer_consumer",
        title="queue in the process",
        module="producer_consumer",
        word="add",
        why="The request is answered when its job is in a queue, so no client waits for work, however many there are. The queue is the "
        "process's memory, and ends with it.",
    ),
    Rung(
        name="millpond",
        title="Millpond, 1 worker",
        word="add",
        why="The same answer, given when the job is on disk. The work runs in other processes, and its outcome is recorded once: a kill "
        "of everything at once loses nothing.",
    ),
    Rung(
        name=REPLICAS,
        title=f"Millpond, {FORKS} workers",
        workers=FORKS,
        word="add",
        why="The forks' successor: more work at once by more workers, each of which may die alone.",
    ),
)
