"""Millpond, paced as its peers are: ``millpond_jobs pace PER_S COUNT`` submits over HTTP to the port in PEER_PORT.

Whether a job has its result is read in Redis, where RQ's contract has it.
"""

import http.client
import json
import os
from threading import local

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

_BODY = json.dumps({"task": "noop", "args": [PAYLOAD]})
_HEADERS = {"Content-Type": "application/json"}
_own = local()


def submit() -> side.Question:
    """Submit a job, on a connection of this thread's."""
    if not hasattr(_own, "connection"):
        _own.connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PEER_PORT"]))
    _own.connection.request("POST", "/v1/jobs", _BODY, _HEADERS)
    answer = json.load(_own.connection.getresponse())
    return "ZSCORE", "rq:finished:default", answer["id"]


if __name__ == "__main__":
    side.blocking(submit)
