"""The commands, their options and what they print."""

import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from loadtest import bench as benchmark
from loadtest.answers import Answers
from loadtest.burst import send_all, watch
from loadtest.figures import document as burst_document
from loadtest.figures import draw
from loadtest.intake import report
from loadtest.intake.contenders import NAMES
from loadtest.intake.rounds import Plan as Rounds
from loadtest.intake.rounds import Refused, Unclean
from loadtest.intake.run import QUICK, Size
from loadtest.intake.run import run as measure_intake
from loadtest.journal import Entry
from loadtest.ladder.command import ladder
from loadtest.plan import Plan
from loadtest.progress import answering, recording
from loadtest.tally import Tally
from loadtest.worker import contenders as workers
from loadtest.worker.document import document as worker_document
from loadtest.worker.measure import Unclean as UncleanWorker
from loadtest.worker.report import tables
from loadtest.worker.run import PARTS
from loadtest.worker.run import QUICK as QUICK_WORKER
from loadtest.worker.run import Size as WorkerSize
from loadtest.worker.run import run as measure_worker

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
app.command()(ladder)

Url = Annotated[str, typer.Option(help="Where the API listens.")]


def _arguments(text: str) -> list[Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"not JSON: {error}") from None
    if not isinstance(value, list):
        raise typer.BadParameter("a JSON array is expected")
    return value


def _rate(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter("more than 0 is expected")
    return value


@app.command()
def burst(
    url: Url = "http://127.0.0.1:8888",
    requests: Annotated[int, typer.Option(min=1, help="How many requests in all.")] = 1000,
    processes: Annotated[int, typer.Option(min=1, help="How many processes send them.")] = 10,
    rate: Annotated[float | None, typer.Option(callback=_rate, help="Requests due a second in all; else as fast as answered.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which a request is a failure.")] = 3.0,
    classic: Annotated[bool, typer.Option("--classic", help="GET / with a job_id, as in the article.")] = False,
    task: Annotated[str, typer.Option(help="The task to submit; --classic: the server's choice.")] = "sleep",
    args: Annotated[str, typer.Option(help="Its arguments, a JSON array.")] = "[0.01]",
    wait_s: Annotated[float, typer.Option(help="How long to wait for the record of what was accepted.")] = 300.0,
    journal: Annotated[Path | None, typer.Option(help="Where to keep a line for each request.")] = None,
    json: Annotated[Path | None, typer.Option(help="Where to write all figures.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder for pictures of the latencies and of the answers by time.")] = None,
    progress: Annotated[bool | None, typer.Option(help="A bar on standard error; else if that is a terminal.")] = None,
) -> None:
    """Send many requests at once; count what was accepted, recorded, lost and doubled. Exit code 1 if it is not all and once."""
    with tempfile.TemporaryDirectory(prefix="millpond-burst-") as folder:
        plan = Plan(
            url=url,
            requests=requests,
            processes=min(processes, requests),
            timeout_s=timeout,
            classic=classic,
            task=task,
            args=_arguments(args),
            journal=journal or Path(folder) / "journal.ndjson",
            per_s=rate or 0.0,
        )
        entries, answers, tally = _carry_out(plan, wait_s, sys.stderr.isatty() if progress is None else progress)
    if json:
        json.write_bytes(orjson.dumps(burst_document(plan, answers, tally), option=orjson.OPT_INDENT_2))
    if pictures:
        draw(pictures, entries, answers)
    raise typer.Exit(0 if tally.good else 1)


def _carry_out(plan: Plan, wait_s: float, shown: bool) -> tuple[list[Entry], Answers, Tally]:
    with answering(plan, shown) as show:
        entries = send_all(plan, show)
    answers = Answers.of(entries)
    typer.echo("\n".join(answers.lines(plan.per_s)))
    with recording(shown) as show_record:
        tally = watch(plan, entries, wait_s, show_record)
    typer.echo("\n".join(tally.lines()))
    return entries, answers, tally


@app.command()
def bench(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each contender, in turn; medians are printed.")] = 5,
) -> None:
    """Submit/s and no-op jobs/s of a Millpond of its own beside stock RQ's, on this machine, in this run."""
    for line in benchmark.run(rounds):
        typer.echo(line)


def _names(text: str, known: Sequence[str] = NAMES) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := set(names) - set(known):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return names


@app.command()
def intake(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each contender, in turn; medians are printed.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of each contender in each round.")] = 3.0,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="Keep-alive connections.")] = 64,
    only: Annotated[str, typer.Option(help="Contenders, comma separated, beside Millpond; else all.")] = "",
    batch_jobs: Annotated[int, typer.Option(min=0, help="Lines of one upload; 0: none.")] = 100_000,
    memory_jobs: Annotated[int, typer.Option(min=0, help="Waiting jobs whose memory is measured; 0: none.")] = 1_000_000,
    quick: Annotated[bool, typer.Option("--quick", help="One short round of everything: whether it works, not how fast.")] = False,
    json: Annotated[Path | None, typer.Option(help="Where to write all figures.")] = None,
) -> None:
    """Submissions/s of a Millpond of its own beside bare Tornado, RQ, FastAPI with arq and Celery. Every answer is a 202 and every
    202 a job in Redis, or it is no figure; exit code 1 if that cannot be had."""
    plan = Rounds(rounds=rounds, seconds=seconds, connections=connections)
    size = QUICK if quick else Size(plan=plan, batch_jobs=batch_jobs, memory_jobs=memory_jobs)
    try:
        figures = measure_intake(replace(size, only=_names(only)), partial(typer.echo, err=True))
    except (Unclean, Refused) as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
    typer.echo("\n".join(report.lines(figures)))
    if json:
        json.write_bytes(orjson.dumps(report.document(figures), option=orjson.OPT_INDENT_2))


@app.command()
def worker(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each contender and pool, in turn; medians are printed.")] = 3,
    jobs: Annotated[int, typer.Option(min=100, help="Millpond's no-op jobs a round; slower ones get a share.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of every other measurement, at best.")] = 4.0,
    call_s: Annotated[float, typer.Option(min=0, max=6, help="Seconds of one call in the clusters' part.")] = 3.0,
    only: Annotated[str, typer.Option(help="Contenders, comma separated, beside Millpond; else all.")] = "",
    parts: Annotated[str, typer.Option(help=f"Of {', '.join(PARTS)}; else all.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="One short round of everything: whether it works, not how fast.")] = False,
    json: Annotated[Path | None, typer.Option(help="Where to write all figures.")] = None,
) -> None:
    """Jobs of one worker beside rq's, huey's, dramatiq's, Celery's, taskiq's, arq's, SAQ's and streaQ's; replicas, latency, the way to
    the record. Results are kept and counted; exit code 1 if one is lost or doubled."""
    size = QUICK_WORKER if quick else WorkerSize(rounds=rounds, jobs=jobs, seconds=seconds, call_s=call_s)
    size = replace(size, only=_names(only, workers.NAMES), parts=_names(parts, PARTS) or PARTS)
    try:
        found = worker_document(measure_worker(size, partial(typer.echo, err=True)))
    except UncleanWorker as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
    console = Console(width=None if sys.stdout.isatty() else 200, soft_wrap=True)
    for part in tables(found):
        console.print(part, highlight=False)
        console.print()
    if json:
        json.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
