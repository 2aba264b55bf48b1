"""What a run shows: its tables, as words, and the names of its pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.ladder.rungs import RUNGS, Rung

Document = Mapping[str, Any]

# Name of the picture -> what it shows, for those who do not see it.
PICTURES: Mapping[str, str] = {
    "success": "Requests answered well and in time, by burst",
    "answers": "The time to the answer, p50 to p99",
    "held": "Clients at once of which 95 % are answered in time",
    "lost": "What a kill of all processes takes",
    "halfway": "Jobs done a second while one of four is killed",
    "clusters": "Seconds until the caller has all four clusters",
}
BY: Mapping[str, str] = {"server": "one server", "millpond": "Millpond"}  # who answers the clusters' question


def rungs(found: Document) -> Sequence[Rung]:
    """Those that were measured, from the lowest."""
    return [rung for rung in RUNGS if rung.name in found["rungs"]]


def answers_of(found: Document) -> str:
    """The burst whose answers, CPU and memory are told."""
    return str(found["size"]["bursts"][-2])


def work_of(found: Document) -> str:
    """The burst whose jobs a second are told: the one that gives the server most to do."""
    return str(found["size"]["bursts"][-1])


def columns(found: Document) -> list[str]:
    """The table's head."""
    answers, work = answers_of(found), work_of(found)
    held = "clients held at once"
    return [
        "server",
        *(f"{name}, %" for name in found["size"]["bursts"]),
        held,
        f"answer p50 / p99, ms ({answers})",
        f"jobs/s ({work})",
        f"CPU s ({answers})",
        f"MB ({answers})",
        "lost / accepted, all killed",
    ]


def row(found: Document, rung: Rung) -> list[str]:
    """One rung's words."""
    one = found["rungs"][rung.name]
    answers, work = one["bursts"][answers_of(found)], one["bursts"][work_of(found)]
    return [
        rung.title,
        *(f"{burst['success']:.1%}".rstrip("%") for burst in one["bursts"].values()),
        held(one["held"]),
        f"{answers['p50_ms']:,.0f} / {answers['p99_ms']:,.0f}",
        f"{work['per_s']:,.0f}",
        f"{answers['cpu_s']:.1f}",
        f"{answers['peak_mb']:,.0f}",
        lost(one["fall"]),
    ]


def held(capacity: Mapping[str, Any]) -> str:
    """How many clients at once."""
    return f"{'≥ ' if capacity['least'] else ''}{capacity['clients']:,}"


def lost(fall: Mapping[str, Any]) -> str:
    """What the kill took of what was accepted, and how many requests it cut off."""
    cut = f", {fall['cut']:,} cut off" if fall["cut"] else ""
    return f"{fall['lost']:,} / {fall['accepted']:,}{cut}"


def halfway_columns() -> list[str]:
    """The head of the table of the kill half way."""
    return ["server", "jobs/s before", "lost / accepted", "requests cut off", "full speed again after"]


def halfway_rows(found: Document) -> list[list[str]]:
    """Forked processes and replicas."""
    return [
        [
            one["title"],
            f"{one['per_s']:.1f}",
            f"{one['lost']:,} / {one['accepted']:,}",
            f"{one['cut']:,}",
            "not while it lasted" if one["full_s"] is None else f"{one['full_s']:.1f} s",
        ]
        for one in found["halfway"]
    ]


def cluster_columns(found: Document) -> list[str]:
    """The head of the clusters' table."""
    return ["by", "how", "seconds", f"calls of {found['size']['call_s']:g} s", "at best", "overhead, s"]


def cluster_rows(found: Document) -> list[list[str]]:
    """Each way to have the clusters' question answered."""
    return [
        [BY[way["by"]], way["title"], f"{way['seconds']:.2f}", f"{way['multiple']:.2f}", f"{way['goal']}", f"{way['overhead_s']:.2f}"]
        for way in found["clusters"]
    ]
