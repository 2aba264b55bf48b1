"""The clusters' question, answered by jobs: each call is one, on whichever worker is free, and whoever asks gathers the answers.

    python -m examples.fan_out http://127.0.0.1:8888

All nodes are asked at once and then all switches, so it takes twice as long as one call, if there are 16 slots.
"""

import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from examples.cluster_info import CLUSTERS, NODES, SWITCHES, Cluster
from millpond.client import Client

_LONGEST_S = 60.0


def cluster_info_by_jobs(client: Client, clusters: Iterable[int] = CLUSTERS, seconds: float = 3.0) -> list[Cluster]:
    """Ask all clusters by jobs of `cluster_call`; `seconds` of each cluster: how long it took to ask all. Raises RuntimeError where a
    call failed, ApiError where the API did not answer."""
    asked, began = sorted(clusters), time.monotonic()
    nodes = _side_by_side(client, "node_id", NODES, len(asked), seconds)
    switches = _side_by_side(client, "switch_id", SWITCHES, len(asked), seconds)
    took = round(time.monotonic() - began, 3)
    found = zip(asked, nodes, switches, strict=True)
    return [{"cluster_id": id, "nodes": own, "switches": other, "seconds": took} for id, own, other in found]


def _side_by_side(client: Client, name: str, numbers: tuple[int, ...], clusters: int, seconds: float) -> list[list[Any]]:
    """For each cluster the answers of all its machines."""
    jobs = [[client.submit("cluster_call", name, number, seconds).id for number in numbers] for _ in range(clusters)]
    return [[_answer(client, id) for id in of_one] for of_one in jobs]


def _answer(client: Client, id: str) -> Any:
    job = client.get(id, wait_s=_LONGEST_S)
    if job.status != "finished":
        raise RuntimeError(f"Job {id} is {job.status}: {job.error}")
    return job.result


if __name__ == "__main__":
    with Client(sys.argv[1]) as client:
        print(json.dumps(cluster_info_by_jobs(client), indent=2))
