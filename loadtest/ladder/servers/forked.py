"""The blocking server in several processes that share one listening socket: as many jobs at once as there are processes.

`fork_processes` is what ``HTTPServer.start(n)`` did before Tornado 6.2: it forks before there is a loop, and starts a process
again that dies. The kernel gives a connection to whichever process accepts it first; it waits there, also behind a job that runs.
"""

from tornado.process import fork_processes

from loadtest.ladder.servers.blocking import Main
from loadtest.ladder.servers.serve import bind, options, serve

if __name__ == "__main__":
    told = options()
    sockets = bind(told.port)
    fork_processes(told.slots)
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger})], sockets)
