"""The same call with processes behind it, for work that needs a core: the function and its arguments must be picklable.

The processes come from a fork server, which has no threads: a fork of a process that has some may never run (Python 3.12 warns).
"""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from loadtest.ladder.servers.run_in_executor import Main
from loadtest.ladder.servers.serve import bind, options, serve

_START_S = 0.1  # long enough that none of them gets two

if __name__ == "__main__":
    told = options()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["loadtest.ladder.servers.work"])
    processes = ProcessPoolExecutor(told.slots, context)
    list(processes.map(time.sleep, [_START_S] * told.slots))  # all are there before the first request
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger, "executor": processes})], bind(told.port))
