"""The second article's question: what is in each of four clusters, when every call to one of its machines takes its seconds.

How the 32 calls are carried out is what the servers differ in.
"""

import logging
import time
from collections.abc import Iterable
from typing import Literal, TypedDict

log = logging.getLogger(__name__)

CLUSTERS = (1, 2, 3, 4)
NODES = SWITCHES = (1, 2, 3, 4)  # in each cluster
CALL_S = 3.0  # the article's

Part = dict[str, int]


class Cluster(TypedDict):
    """What is known of a cluster, and how long it took to ask."""

    cluster_id: int
    nodes: list[Part]
    switches: list[Part]
    seconds: float


def call(name: Literal["node_id", "switch_id"], number: int, seconds: float) -> Part:
    """One call to one machine, which answers its own number after so many seconds."""
    time.sleep(seconds)
    return {name: number}


def in_turn(cluster_id: int, seconds: float) -> Cluster:
    """Call all nodes and then all switches of a cluster, one after the other: 8 x `seconds`."""
    began = time.monotonic()
    nodes = [call("node_id", number, seconds) for number in NODES]
    switches = [call("switch_id", number, seconds) for number in SWITCHES]
    return cluster(cluster_id, nodes, switches, began)


def cluster(cluster_id: int, nodes: list[Part], switches: list[Part], began: float) -> Cluster:
    """What was found. `began`: when, by the monotonic clock."""
    return {"cluster_id": cluster_id, "nodes": nodes, "switches": switches, "seconds": round(time.monotonic() - began, 3)}


def told(way: str, found: Iterable[Cluster]) -> list[Cluster]:
    """The clusters as they come, each with its line in the log."""
    clusters = list(found)
    for one in clusters:
        log.info("cluster %d by %s: %.3f s", one["cluster_id"], way, one["seconds"])
    return clusters
