"""A run's document as the tables that people read, one for each part; a goal that was missed says so.

On a machine that others use too, look at the ratio by CPU and at the microseconds: they are far steadier than jobs a second.
"""

from collections.abc import Iterator

from rich.table import Table

from loadtest.intake.report import times
from loadtest.worker.clusters import WAYS
from loadtest.worker.contenders import CONTENDERS, MILLPOND, SYNCED, Contender
from loadtest.worker.document import Document
from loadtest.worker.slots import POOLS


def tables(found: Document) -> Iterator[str | Table]:
    """What was measured where, then the parts that were."""
    yield "machine: " + ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    for side, named in found["versions"].items():
        yield f"{side}: " + ", ".join(f"{name} {version}" for name, version in named.items())
    parts = {"noop": _noop, "slots": _slots, "replicas": _replicas, "latency": _latency, "sustained": _sustained, "clusters": _clusters}
    yield from (table(found) for part, table in parts.items() if found[part])
    yield from (f"{name}: left out, {why}" for name, why in found["absent"].items())
    yield from (f"measured once more: {why}" for why in found["again"])


def _table(title: str, *columns: str) -> Table:
    """The first column holds words, and the last two may; the others numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column in ("goal", "a killed worker's job", "") else "right")
    return table


def _goals(row: Document, **units: str) -> str:
    """Each goal of a row: `missed` is what to look for."""
    return ", ".join(f"{units.get(name, '{}').format(_bound(one))} {_verdict(one)}" for name, one in row.get("goals", {}).items())


def _bound(one: Document) -> str:
    return f"{one['goal']:,.1f}".removesuffix(".0") if one["goal"] >= 1 else f"{one['goal']:g}"


def _verdict(one: Document) -> str:
    return "reached" if one["reached"] else "[red]missed[/]"


def _noop(found: Document) -> Table:
    columns = ("jobs/s", "worker us", "Redis us", "Millpond to it", "by CPU", "goal", "a killed worker's job")
    table = _table("No-op jobs that wait already, one worker on one core", "", *columns)
    for one in CONTENDERS:
        if row := found["noop"].get(one.name):
            figures = (f"{row['per_s']:,.0f}", f"{row['worker_us']:,.0f}", f"{row['redis_us']:,.0f}")
            ratios = ("", "") if one.name == MILLPOND.name else (times(row["ratio"]), f"{row['cpu_ratio']['median']:.1f}")
            goals = _goals(row, per_s="{}/s", least_per_s="{}/s", worker_us="{} us", redis_us="Redis {} us", ratio="{}")
            table.add_row(_title(found, one), *figures, *ratios, goals, one.guarantee)
    return table


def _title(found: Document, one: Contender) -> str:
    version = next((named[one.package] for named in reversed(found["versions"].values()) if one.package in named), "")
    return f"{one.title} ({one.package} {version})" if version else one.title


def _slots(found: Document) -> Table:
    table = _table("Slots that are used, jobs waiting already", "", "jobs/s", "ideal", "part of it", "goal")
    for pool in POOLS:
        if row := found["slots"].get(pool.name):
            ideal = f"{row['ideal_per_s']:,.0f}" + ("" if pool.ideal else " (bare processes)")
            table.add_row(pool.title, f"{row['per_s']:,.0f}", ideal, times(row["part"]), _goals(row))
    return table


def _replicas(found: Document) -> Table:
    columns = ("50 ms jobs/s", "ideal", "part", "core busy", "no-op jobs/s", "to one replica", "goal")
    table = _table("Replicas of 20 slots, all on one core, jobs waiting already", "", *columns)
    for number, row in found["replicas"].items():
        naps = (f"{row['naps_per_s']:,.0f}", f"{row['ideal_per_s']:,.0f}", f"{row['part']:.2f}", f"{row['busy']:.0%}")
        noops = (f"{row['noops_per_s']:,.0f}", times(row["noops_to_one"]))
        table.add_row(number, *naps, *noops, _goals(row, part="50 ms {}", noops="no-op {}"))
    return table


def _latency(found: Document) -> Table:
    title = f"Submitted to finished and visible, {found['size']['per_s']:g} jobs/s due, milliseconds"
    table = _table(title, "", "ended/s", "p50", "p99", "not in time", "goal")
    titles = {one.name: _title(found, one) for one in CONTENDERS}
    titles |= {f"{one.name}-told": f"{one.title}, told over HTTP" for one in (MILLPOND, SYNCED)}
    for name, row in found["latency"].items():
        figures = (
            f"{row['per_s']:,.0f}",
            f"{row['p50_ms']:,.1f}",
            f"{row['p99_ms']:,.1f}",
            f"{row['missing']:,}" if row["missing"] else "",
        )
        table.add_row(titles[name], *figures, _goals(row, p50_ms="p50 {}", p99_ms="p99 {}", best_peer_ms="best peer's {}"))
    return table


def _sustained(found: Document) -> Table:
    row = found["sustained"]
    table = _table("End to end, fsync always, recorded in PostgreSQL", "", "jobs/s", "behind", "goal")
    cpu = ", ".join(f"{name} {us:,.0f}" for name, us in row["cpu_us"].items())
    table.add_row(f"waiting jobs, from the first to the last record; us of CPU: {cpu}", f"{row['drained_per_s']:,.0f}", "", "")
    for step in row["steps"]:
        verdict = "held" if step["held"] else f"not held, {step['refused']} refused"
        table.add_row(
            f"{step['offered_per_s']:,} a second offered: {verdict}",
            f"{step['per_s']:,.0f}",
            f"{step['behind_s']:.2f} s",
            "",
        )
    table.add_row("sustained without a backlog", f"{row['held_per_s']:,.0f}", "", _goals(row, held_per_s="{}/s"))
    return table


def _clusters(found: Document) -> Table:
    title = f"cluster_info, {found['size']['call_s']:g} s a call, 32 calls: seconds until the caller has all"
    table = _table(title, "", "seconds", "calls in a row", "beyond them", "the article's, 3 s a call")
    for way in WAYS:
        if row := found["clusters"].get(way.name):
            table.add_row(way.title, f"{row['seconds']:.2f}", f"{row['best_s']:.2f}", f"{row['over_s']:.2f}", f"{row['article_s']:g}")
    return table
