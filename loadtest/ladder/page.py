"""The page docs/ladder.md, made of a run's document alone."""

from collections.abc import Iterator, Mapping, Sequence

from loadtest.ladder.table import (
    PICTURES,
    Document,
    cluster_columns,
    cluster_rows,
    columns,
    halfway_columns,
    halfway_rows,
    row,
    rungs,
)

_HEAD = """# The ladder

Written by `python -m loadtest ladder` from one run; the figures are in [ladder.json](ladder.json), so do not edit this page.

Millpond grew out of two articles on concurrency with Tornado. Each of their servers is a rung here, in today's Python
(`loadtest/ladder/servers/`, a small module each), and all of them get the same calls: `GET /` with `{{"job_id": n}}`, where a job is
{work_s:g} s of work that blocks. A burst 1000/10 is 1,000 requests by 10 processes that each send one after the other and give up
after {timeout_s:g} s. Every burst meets a server with nothing left to do. What was done is asked of a ledger that no server holds: a file
that gets a line for each piece of work.

Measured on {machine[processor]}, {machine[cores]} cores, Linux {machine[kernel]}, with {server}; {packages}.
"""

_TABLE = """
*Held at once*: the most clients that send one request each at the same moment, 95 % of which are answered in time. *All killed*: SIGKILL to
every process of the server, for Millpond Redis, API, workers and collector, as soon as all of a burst {fall} is accepted, or in its midst
where an answer waits for the work; then it is started again, and given the time to end what it kept. *Accepted* are requests that were
answered well. *Cut off* are those that got no answer: their clients know, and nothing was promised.
CPU and memory are those of all the server's processes, for Millpond of its Redis and database too.
"""

_HALFWAY = """
## Forks beside replicas

The same work, {half_work_s:g} s a job, a burst {half}: on four forked processes, and on Millpond with four workers of one slot. One of
the four is killed when half of it is done. The forks are restarted at once by their parent, and what stood in the killed one's connections
is cut off: clients see it and must ask again. A worker is restarted too; the job it held runs again, and no client sees anything.
"""

_CLUSTERS = """
## Four clusters

The second article's question: what is in 4 clusters of 4 nodes and 4 switches, where each of the 32 answers takes {call_s:g} s. A thread or
a process for each cluster asks 8 times in a row; greenlets ask all nodes at once, then all switches. Small servers on `GET /test`, with
the article's envelope, then Millpond by each pool, and as a job for each cluster on four replicas that the caller gathers. All found the
same.
"""

_FOOT = """
## Run it
    make ladder                                          # all of it, this page too: forty minutes
    make ladder ARGS=--quick                             # small bursts of short work: whether it works
    make ladder ARGS="--only blocking,millpond"
    .venv/bin/python -m loadtest.ladder.servers.blocking --port 8888     # one server, to play with
"""


def page(found: Document) -> str:
    """The page, in Markdown."""
    return "".join(_parts(found))


def _parts(found: Document) -> Iterator[str]:
    size = found["size"]
    server, packages = (_listed(found["versions"][of]) for of in ("server", "ours"))
    yield _HEAD.format(**size, machine=found["machine"], server=server, packages=packages)
    if found["rungs"]:
        yield "\n" + _grid(columns(found), [row(found, rung) for rung in rungs(found)])
        yield _TABLE.format(**size)
        yield "".join(_picture(name) for name in ("success", "answers", "held", "lost"))
        yield "\n## Why each next rung\n\n"
        yield "".join(f"{number}. **{rung.title}.** {rung.why}\n" for number, rung in enumerate(rungs(found), 1))
    if found["halfway"]:
        yield _HALFWAY.format(**size) + "\n" + _grid(halfway_columns(), halfway_rows(found)) + _picture("halfway")
    if found["clusters"]:
        yield _CLUSTERS.format(**size) + "\n" + _grid(cluster_columns(found), cluster_rows(found)) + _picture("clusters")
    yield _FOOT


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _picture(name: str) -> str:
    dark, light = (f"pictures/ladder-{name}-{theme}.svg" for theme in ("dark", "light"))
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return f'\n<picture>{source}<img alt="{PICTURES[name]}" src="{light}"></picture>\n'
