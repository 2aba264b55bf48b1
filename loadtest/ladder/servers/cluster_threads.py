"""A thread for each cluster; in it the calls follow each other, so it takes 8 of them."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from loadtest.ladder.servers.clusters import CLUSTERS, Cluster, in_turn, told
from loadtest.ladder.servers.envelope import answer


def ask(seconds: float) -> list[Cluster]:
    """Ask all clusters. `seconds`: of one call."""
    with ThreadPoolExecutor(len(CLUSTERS), "cluster") as threads:
        return told("threads", threads.map(partial(in_turn, seconds=seconds), CLUSTERS))


if __name__ == "__main__":
    answer(ask)
