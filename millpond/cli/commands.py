"""The commands: run a whole Millpond here (`up`), or talk to one over HTTP (`submit`, `get`, `jobs`)."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="Take jobs in over HTTP at once, run them behind, record every outcome once.", no_args_is_help=True)

Url = Annotated[str, typer.Option(help="Where the API answers.")]
LOCAL = "http://127.0.0.1:8888"


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
    from millpond.up import Options, run

    raise typer.Exit(run(Options(port, data, workers, concurrency, tasks, redis_url, database_url)))


@app.command()
def submit(
    task: Annotated[str, typer.Argument(help="The task's name.")],
    args: Annotated[list[str] | None, typer.Argument(help="Its arguments: JSON, or text if that is no JSON.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the outcome.", min=0, max=60)] = 0,
    url: Url = LOCAL,
) -> None:
    """Submit a job and print it."""
    from millpond.client import Client

    with Client(url) as client:
        _show(client.submit(task, *map(_value, args or []), wait_s=wait or None))


@app.command()
def get(id: Annotated[str, typer.Argument(help="The job's id.")], url: Url = LOCAL) -> None:
    """Print one job."""
    from millpond.client import Client

    with Client(url) as client:
        _show(client.get(id))
