"""A greenlet for each call, all in one thread: all nodes at once, then all switches, so it takes 2 calls.

Everything that waits is patched first, also what asyncio waits with: Tornado's loop and the greenlets take turns, and a thread of the
executor is a greenlet as well.
"""

from gevent import monkey

monkey.patch_all()

import time  # noqa: E402
from functools import partial  # noqa: E402

from gevent.pool import Group  # noqa: E402

from loadtest.ladder.servers.clusters import CLUSTERS, NODES, SWITCHES, Cluster, call, cluster, told  # noqa: E402
from loadtest.ladder.servers.envelope import answer  # noqa: E402


def ask(seconds: float) -> list[Cluster]:
    """Ask all clusters. `seconds`: of one call."""
    return told("gevent", Group().map(partial(_at_once, seconds=seconds), CLUSTERS))


def _at_once(cluster_id: int, seconds: float) -> Cluster:
    began = time.monotonic()
    nodes = Group().map(partial(call, "node_id", seconds=seconds), NODES)
    switches = Group().map(partial(call, "switch_id", seconds=seconds), SWITCHES)
    return cluster(cluster_id, nodes, switches, began)


if __name__ == "__main__":
    answer(ask)
