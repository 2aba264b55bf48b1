"""The same call with processes behind it, for work that needs a core: the function and its arguments must be picklable.

The processes come from a fork server, which has no threads: a fork of a process that has some may never run (Python 3.12 warns).
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from loadtest.ladder.servers.run_in_executor import Main
from loadtest.ladder.servers.serve import bind, options, serve

if __name__ == "__main__":
    told = options()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["loadtest.ladder.servers.work"])
    processes = ProcessPoolExecutor(told.slots, context)
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger, "executor": processes})], bind(told.port))
