"""The commands: run a whole Millpond here (`up`), or talk to one over HTTP (`submit`, `get`, `jobs`)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:  # `up` has no use for an HTTP client, and should be quick
    from millpond.client import Client, JobView

HELP = "Take jobs in over HTTP at once, run them behind, record every outcome once."

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False)

LOCAL = "http://127.0.0.1:8888"
Url = Annotated[str, typer.Option(help="Where the API answers.")]


@app.command()
def up(
    port: Annotated[int, typer.Option(help="The API's port, on loopback.", min=1, max=65535)] = 8888,
    data: Annotated[Path, typer.Option(help="The folder that keeps everything.", file_okay=False)] = Path(".millpond"),
    workers: Annotated[int, typer.Option(help="How many workers.", min=1, max=64)] = 1,
    concurrency: Annotated[int, typer.Option(help="Jobs that run at once in each worker.", min=1, max=1000)] = 20,
    tasks: Annotated[str, typer.Option(help="The modules that define tasks, comma separated.")] = "examples",
    redis_url: Annotated[str, typer.Option(help="Use this Redis instead of one of our own.")] = "",
    database_url: Annotated[str, typer.Option(help="Use this database instead of SQLite in the data folder.")] = "",
) -> None:
    """Run everything on this machine without containers, until Ctrl-C."""
    from millpond.up import Options, run  # needs the extra `embedded`, the other commands do not

    raise typer.Exit(run(Options(port, data, workers, concurrency, tasks, redis_url, database_url)))


@app.command()
def submit(
    task: Annotated[str, typer.Argument(help="The task's name.")],
    args: Annotated[list[str] | None, typer.Argument(help="Its arguments: JSON, or text where that is no JSON.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the outcome.", min=0, max=60)] = 0,
    url: Url = LOCAL,
) -> None:
    """Submit a job and print it."""
    with _client(url) as client:
        _show(client.submit(task, *map(_value, args or []), wait_s=wait or None))


@app.command()
def get(
    id: Annotated[str, typer.Argument(help="The job's id.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for the outcome.", min=0, max=60)] = 0,
    url: Url = LOCAL,
) -> None:
    """Print one job."""
    with _client(url) as client:
        _show(client.get(id, wait_s=wait or None))


@app.command()
def jobs(
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    task: Annotated[str | None, typer.Option(help="Only jobs of this task.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    url: Url = LOCAL,
) -> None:
    """List jobs, newest first."""
    id_whole = Column("id", min_width=32)  # a narrow terminal breaks other columns: nobody can use half of an id
    table = Table(id_whole, "task", "status", "reason", "attempt", "created", box=None, header_style="bold")
    with _client(url) as client:
        for job in islice(client.list(status=status, task=task, limit=min(limit, 100)), limit):
            created = job.created_at.isoformat(" ", "seconds") if job.created_at else ""
            table.add_row(job.id, job.task, job.status, job.reason, str(job.attempt), created)
    Console().print(table)


@contextmanager
def _client(url: str) -> "Iterator[Client]":
    from millpond.client import ApiError, Client

    try:
        with Client(url) as client:
            yield client
    except ApiError as error:
        print(f"millpond: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def _value(word: str) -> Any:
    try:
        return orjson.loads(word)
    except orjson.JSONDecodeError:
        return word


def _show(job: "JobView") -> None:
    given = {name: value for name, value in asdict(job).items() if value not in (None, {}, [])}
    Console(highlight=False, soft_wrap=True).print_json(orjson.dumps(given).decode())
