"""What `millpond up` says at the terminal: when it is ready and how to try it, and what goes wrong. All else is in the logs."""

import json
import shlex
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from millpond.up.parts import Plan

_LOUD = {"warning": "yellow", "error": "red", "critical": "red"}
_SHOWN_APART = ("level", "event", "timestamp", "time", "exception", "service")


class Voice:
    """Lines on standard output; colours only where it is a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._errors = Console(highlight=False, soft_wrap=True, stderr=True)

    def say(self, sentence: str) -> None:
        """Something that the user may want to know."""
        self._console.print(escape(sentence))

    def fault(self, sentence: str) -> None:
        """Why we stop."""
        self._errors.print(f"[red]millpond:[/] {escape(sentence)}")

    def line(self, part: str, line: str) -> None:
        """A line that a part printed: shown if it is a warning or worse, or a traceback; Redis's own only go to its log."""
        if part == "redis" or not line.strip():
            return
        shown, colour = _notable(line)
        if shown:
            self._console.print(f"[{colour}]{escape(part)}[/] {escape(shown)}")

    def ready(self, plan: Plan, seconds: float, tasks: list[str]) -> None:
        """The summary: where it answers, a line to try it, where the data is."""
        options = plan.options
        task = "sleep" if "sleep" in tasks else tasks[0]
        body = json.dumps({"task": task, "args": [1] if task == "sleep" else []})
        curl = f"curl {options.url}/v1/jobs -H 'Content-Type: application/json' -d {shlex.quote(body)}"
        rows = {
            "API": options.url,
            "try": curl,
            "tasks": ", ".join(tasks),
            "Redis": "yours" if options.redis_url else plan.redis_url,
            "data": _short(plan.folder.path),
            "logs": _short(plan.folder.logs),
        }
        self._console.print(f"[bold green]Millpond is ready[/] in {seconds:.1f} s")
        for name, value in rows.items():
            self._console.print(f"  [bold]{name:<6}[/] {escape(value)}")
        self._console.print("  Ctrl-C drains and stops.")


def _notable(line: str) -> tuple[str, str]:
    """What to show of a line, and in which colour; nothing of an ordinary log line."""
    try:
        entry = json.loads(line)
        level = entry["level"]
    except (ValueError, TypeError, KeyError):
        return line, "dim"
    if level not in _LOUD:
        return "", ""
    details = " ".join(f"{name}={value}" for name, value in entry.items() if name not in _SHOWN_APART)
    return f"{entry.get('event', '')} {details}\n{entry.get('exception', '')}".rstrip(), _LOUD[level]


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
