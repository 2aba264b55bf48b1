"""``python -m loadtest ladder``: its options, and what it prints and writes."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from loadtest.ladder.document import document
from loadtest.ladder.page import page
from loadtest.ladder.run import ARTICLES, NAMES, QUICK, run
from loadtest.ladder.table import cluster_columns, cluster_rows, columns, halfway_columns, halfway_rows, row, rungs
from loadtest.stage import ROOT
from loadtest.worker.measure import Unclean

_DOCS = ROOT / "docs"
_WIDTH = 200  # where nobody looks at a terminal


def ladder(
    quick: Annotated[bool, typer.Option("--quick", help="Small bursts of short work: whether it works, not how fast.")] = False,
    only: Annotated[str, typer.Option(help=f"Of {', '.join(NAMES)}, comma separated; else all.")] = "",
    json: Annotated[Path | None, typer.Option(help="Where to write all figures.")] = None,
    docs: Annotated[Path | None, typer.Option(help="The folder that gets ladder.md, ladder.json and pictures/; a whole run: docs.")] = None,
) -> None:
    """Every server of the two articles, and Millpond at the end, under the same load: what is answered in time, how fast, how much is
    held at once, and what a kill loses. Exit code 1 if the servers' answers differ."""
    size = replace(QUICK if quick else ARTICLES, only=_chosen(only))
    try:
        found = document(run(size, partial(typer.echo, err=True)))
    except Unclean as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
    _print(found)
    if json:
        json.write_bytes(_dump(found))
    if docs or not (quick or only):
        _write(found, docs or _DOCS)


def _chosen(text: str) -> Sequence[str]:
    names = [name for name in text.split(",") if name]
    if unknown := set(names) - set(NAMES):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}", param_hint="--only")
    return names or NAMES


def _print(found: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    if found["rungs"]:
        console.print(_table("The ladder", columns(found), [row(found, rung) for rung in rungs(found)]))
    if found["halfway"]:
        console.print(_table("One of four killed half way", halfway_columns(), halfway_rows(found)))
    if found["clusters"]:
        console.print(_table("Four clusters", cluster_columns(found), cluster_rows(found)))


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for words in rows:
        table.add_row(*words)
    return table


def _write(found: dict[str, Any], docs: Path) -> None:
    from loadtest.ladder.drawings import draw  # here: what it draws with takes half a second to import

    docs.mkdir(parents=True, exist_ok=True)
    draw(found, docs / "pictures")
    (docs / "ladder.json").write_bytes(_dump(found))
    (docs / "ladder.md").write_text(page(found))


def _dump(found: dict[str, Any]) -> bytes:
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
