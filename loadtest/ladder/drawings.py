"""The pictures of a run, each for light and for dark pages."""

from pathlib import Path

from loadtest.ladder.table import BY, PICTURES, Document, answers_of, rungs
from loadtest.pictures import bars, lines, spans


def draw(found: Document, folder: Path) -> None:
    """Draw what was measured into `folder`."""
    for name, drawing in {"rungs": _of_rungs, "halfway": _of_halfway, "clusters": _of_clusters}.items():
        if found[name]:
            drawing(found, folder)


def _path(folder: Path, name: str) -> Path:
    """Where a picture is, without its theme and suffix."""
    return folder / f"ladder-{name}"


def _of_rungs(found: Document, folder: Path) -> None:
    shown = rungs(found)
    labels = [rung.title for rung in shown]
    all_of = [found["rungs"][rung.name] for rung in shown]
    success = {name: [round(one["bursts"][name]["success"] * 100, 1) for one in all_of] for name in found["size"]["bursts"]}
    bars(_path(folder, "success"), PICTURES["success"], labels, success, "%", top=100)
    answers = [one["bursts"][answers_of(found)] for one in all_of]
    between = [(one["p50_ms"], one["p99_ms"]) for one in answers]
    title = f"{PICTURES['answers']} ({answers_of(found)})"
    spans(_path(folder, "answers"), title, labels, between, "ms", limit=found["size"]["timeout_s"] * 1000)
    held = {"clients at once": [one["held"]["clients"] for one in all_of]}
    bars(_path(folder, "held"), PICTURES["held"], labels, held, "clients", log=True)
    falls = [one["fall"] for one in all_of]
    gone = {"accepted, and lost": [fall["lost"] for fall in falls], "cut off, and told so": [fall["cut"] for fall in falls]}
    bars(_path(folder, "lost"), PICTURES["lost"], labels, gone, "requests")


def _of_halfway(found: Document, folder: Path) -> None:
    curves = {
        one["title"]: [((second + 0.5) * one["sample_s"], done / one["sample_s"]) for second, done in enumerate(one["done"])]
        for one in found["halfway"]
    }
    marks = {f"kill: {one['title']}": one["kill_s"] for one in found["halfway"]}
    lines(_path(folder, "halfway"), PICTURES["halfway"], curves, "seconds", "jobs/s", marks=marks)


def _of_clusters(found: Document, folder: Path) -> None:
    labels = [f"{BY[way['by']]}: {way['title']}" for way in found["clusters"]]
    taken = {"seconds": [way["seconds"] for way in found["clusters"]]}
    bars(_path(folder, "clusters"), PICTURES["clusters"], labels, taken, "s")
