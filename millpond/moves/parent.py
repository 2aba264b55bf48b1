"""What a worker's parent says about itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from millpond.moves.call import Arg, Call, text
from millpond.scripts import load


def register(worker: str, generation: int, queues: Sequence[str], display: Mapping[str, Arg]) -> Call[str]:
    """List the worker and make `generation` live. Answers ok, or retired (that generation was given up before)."""
    flat = [item for pair in display.items() for item in pair]
    return Call(load("register"), [worker, generation, ",".join(queues), *flat], text)


@dataclass(frozen=True, slots=True)
class Beat:
    """`answer`: ok | unknown (register again, with a new generation) | faded (the display hash is gone: register again).

    `alone`: jobs waiting in mp:alone of the worker's queues; `shutdown` is not told here but on RQ's command channel.
    """

    answer: Literal["ok", "unknown", "faded"]
    alone: int


def heartbeat(worker: str) -> Call[Beat]:
    """Say that the parent lives: beats + 1, liveness for 3.5 s, RQ's display for 15 s."""
    return Call(load("heartbeat"), [worker], lambda raw: Beat(text(raw[0]), int(raw[1])))  # type: ignore[arg-type]
