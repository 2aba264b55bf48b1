"""Tasks with every kind of parameter, which end at once whatever they are given: what schemas are made from."""

from typing import Any, Literal

from pydantic import BaseModel

from millpond import task


class Leaf(BaseModel):
    """The end of a branch."""

    colour: Literal["green", "red"] = "green"


class Branch(BaseModel):
    """A tree: its schema refers to itself."""

    leaves: list[Leaf] = []
    branches: list["Branch"] = []


@task
def nothing() -> None:
    """Takes no arguments."""


@task
def add(a: int, b: int = 1) -> int:
    """One required, one optional, either way."""
    return a + b


@task
def mixed(first: str, /, second: float = 0.5, *, third: bool, fourth: str | None = None) -> list[Any]:
    """By position only, either way, by name only."""
    return [first, second, third, fourth]


@task
def endless(*numbers: int, **texts: str) -> int:
    """Any number of either."""
    return len(numbers) + len(texts)


@task
def prune(tree: Branch, keep: list[Literal["green", "red"]], weights: dict[str, float] | None = None) -> Any:
    """Models of pydantic, which arrive as JSON gave them."""
    return [tree, keep, weights]


@task
def fail(text: str = "") -> None:
    """Fails always."""
    raise ValueError(text)


@task
def sleep(seconds: float = 0, job_id: int | str | None = None) -> int | str | None:
    """As examples/blocking.py, without the sleep."""
    return job_id


@task
async def echo(value: Any = None) -> Any:
    """Anything; a coroutine."""
    return value
