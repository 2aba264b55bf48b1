"""A process for each cluster; in it the calls follow each other, so it takes 8 of them, and four processes' start and end.

A process that dies is an error of its request; the server and the next request do not notice.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import forkserver, get_context

from loadtest.ladder.servers.clusters import CLUSTERS, Cluster, in_turn, told
from loadtest.ladder.servers.envelope import answer

_FORKSERVER = get_context("forkserver")  # a fork of a process with threads may hang; this one has none


def ask(seconds: float) -> list[Cluster]:
    """Ask all clusters. `seconds`: of one call. Raises BrokenProcessPool where a process died."""
    with ProcessPoolExecutor(len(CLUSTERS), _FORKSERVER) as processes:
        return told("processes", processes.map(partial(in_turn, seconds=seconds), CLUSTERS))


if __name__ == "__main__":
    forkserver.set_forkserver_preload(["loadtest.ladder.servers.envelope"])
    forkserver.ensure_running()  # with its modules imported, so that no request waits for Python to start
    answer(ask)
