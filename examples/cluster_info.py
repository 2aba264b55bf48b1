"""One question in three ways: what is in each cluster, when every answer of a node or a switch takes its time.

Four clusters of four nodes and four switches make 32 calls. In a row they would take 32 times the `seconds` of one call; one
thread or one process for each cluster takes 8 times, a greenlet for each call 2 times (all nodes, then all switches). The
answers are equal but for `seconds`, which each cluster measures for itself and the log repeats.
"""

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.managers import ListProxy
from typing import Any, Literal, TypedDict

from millpond import task

try:
    import gevent
except ImportError:  # an extra of the worker; without it cluster_info_gevent alone is missing
    gevent = None

log = logging.getLogger(__name__)

CLUSTERS = (1, 2, 3, 4)
NODES = SWITCHES = (1, 2, 3, 4)  # in each cluster

Part = dict[str, int]


class Cluster(TypedDict):
    """What is known of a cluster, and how long it took to ask."""

    cluster_id: int
    nodes: list[Part]
    switches: list[Part]
    seconds: float


def ask(name: str, number: int, seconds: float, wait: Callable[[float], Any] = time.sleep) -> Part:
    """One slow call to one machine, which answers its own number."""
    wait(seconds)
    return {name: number}


@task(timeout_s=60)
def cluster_call(name: Literal["node_id", "switch_id"], number: int, seconds: float = 3.0) -> Part:
    """One call as a job of its own, for those who gather the answers themselves (examples/fan_out.py)."""
    return ask(name, number, seconds)


def ask_in_turn(cluster_id: int, seconds: float) -> Cluster:
    """Ask all nodes and then all switches of a cluster, one after the other."""
    began = time.monotonic()
    nodes = [ask("node_id", number, seconds) for number in NODES]
    switches = [ask("switch_id", number, seconds) for number in SWITCHES]
    return _cluster(cluster_id, nodes, switches, began)


def _cluster(cluster_id: int, nodes: list[Part], switches: list[Part], began: float) -> Cluster:
    return {"cluster_id": cluster_id, "nodes": nodes, "switches": switches, "seconds": round(time.monotonic() - began, 3)}


def _told(way: str, found: Iterable[Cluster]) -> list[Cluster]:
    """The clusters in the order of their ids, each with its line in the log."""
    clusters = sorted(found, key=lambda cluster: cluster["cluster_id"])
    for cluster in clusters:
        log.info("cluster %d by %s: %.3f s", cluster["cluster_id"], way, cluster["seconds"])
    return clusters


@task(timeout_s=120)
def cluster_info_threads(clusters: list[int] | None = None, seconds: float = 3.0) -> list[Cluster]:
    """Ask by one thread for each cluster: 8 x `seconds`."""
    asked = CLUSTERS if clusters is None else clusters
    with ThreadPoolExecutor(max(1, len(asked)), "cluster") as pool:
        return _told("threads", pool.map(lambda cluster_id: ask_in_turn(cluster_id, seconds), asked))


@task(timeout_s=120, pool="thread")  # multiprocessing does not get on with what gevent patches
def cluster_info_processes(clusters: list[int] | None = None, seconds: float = 3.0) -> list[Cluster]:
    """Ask by one process for each cluster, which leave their answers in a list of a manager's: 8 x `seconds` and their start."""
    asked = CLUSTERS if clusters is None else clusters
    # A fork of a process with threads may hang, so they are forked from one that has none, and that has imported this module once.
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload([__name__])
    with forked.Manager() as manager:
        found: ListProxy[Cluster] = manager.list()
        processes = [forked.Process(target=_leave_answer, args=(found, cluster_id, seconds)) for cluster_id in asked]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if failed := [process.exitcode for process in processes if process.exitcode]:
            raise RuntimeError(f"{len(failed)} of {len(processes)} processes ended with {failed}")
        return _told("processes", list(found))


def _leave_answer(found: "ListProxy[Cluster]", cluster_id: int, seconds: float) -> None:
    found.append(ask_in_turn(cluster_id, seconds))


if gevent is not None:

    @task(timeout_s=120)
    def cluster_info_gevent(clusters: list[int] | None = None, seconds: float = 3.0) -> list[Cluster]:
        """Ask by a greenlet for each cluster and for each call: 2 x `seconds`, in one thread."""
        asked = CLUSTERS if clusters is None else clusters
        try:
            return _told("gevent", _side_by_side(lambda cluster_id: _ask_at_once(cluster_id, seconds), asked))
        finally:
            if gevent.getcurrent().parent is None:  # a plain thread: the hub made for this call would keep two files open
                gevent.get_hub().destroy()


def _ask_at_once(cluster_id: int, seconds: float) -> Cluster:
    began = time.monotonic()
    nodes = _side_by_side(lambda number: ask("node_id", number, seconds, gevent.sleep), NODES)
    switches = _side_by_side(lambda number: ask("switch_id", number, seconds, gevent.sleep), SWITCHES)
    return _cluster(cluster_id, nodes, switches, began)


def _side_by_side(function: Callable[[int], Any], numbers: Iterable[int]) -> list[Any]:
    greenlets = [gevent.spawn(function, number) for number in numbers]
    gevent.joinall(greenlets, raise_error=True)
    return [greenlet.value for greenlet in greenlets]
