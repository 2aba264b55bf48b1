"""Imports the users' modules that MILLPOND_TASKS names, and refuses one that would shadow, or be shadowed by, another module."""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from millpond.errors import BadSetting
from millpond.parameters import Parameters
from millpond.task import Task, registered

TASKS_FOLDER: Final = Path("/tasks")  # where the worker's image expects users' modules to be mounted
OURS: Final = frozenset({"millpond", "api", "worker", "collector", "loadtest", "tests"})


def load(modules: Sequence[str], folders: Sequence[Path] | None = None) -> dict[str, Task]:
    """Import the modules and answer all registered tasks by name.

    `folders`, by default /tasks and the current folder, come last on the path. Raises BadSetting, by the module's or task's name:
    a clash of names, a failing import, a module without a task, a parameter without a JSON Schema.
    """
    own = [str(folder.resolve()) for folder in (folders if folders is not None else (TASKS_FOLDER, Path.cwd()))]
    for name in modules:
        _refuse_clash(name.partition(".")[0], own)
    sys.path.extend(folder for folder in own if folder not in sys.path)
    for name in modules:
        _import(name)
    for task in registered().values():
        Parameters.of(task.name, task.function)
    return dict(registered())


def _refuse_clash(top: str, own: Sequence[str]) -> None:
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        raise BadSetting(f"MILLPOND_TASKS: {top!r} is the name of a module of Python's own; rename yours.")
    if top in OURS:
        raise BadSetting(f"MILLPOND_TASKS: {top!r} is the name of a module of Millpond's own; rename yours.")
    elsewhere = [path for path in sys.path if str(Path(path).resolve()) not in own]
    if PathFinder.find_spec(top, list(own)) and (other := PathFinder.find_spec(top, elsewhere)):
        raise BadSetting(f"MILLPOND_TASKS: {top!r} is also the name of an installed module ({other.origin}); rename yours.")


def _import(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except BadSetting as error:
        raise BadSetting(f"MILLPOND_TASKS: {name}: {error.detail}") from error
    except (Exception, SystemExit) as error:
        raise BadSetting(f"MILLPOND_TASKS: {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    functions = {task.function for task in registered().values()}
    if not any(getattr(value, "__hash__", None) and value in functions for value in vars(module).values()):
        raise BadSetting(f"MILLPOND_TASKS: {name!r} defines no task; mark a function with @millpond.task.")
