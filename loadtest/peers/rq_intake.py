"""Stock RQ behind stock Tornado: ``rq.Queue.enqueue`` in the handler, for ``gunicorn -k tornado loadtest.peers.rq_intake:app``.

The Redis is named by the variable PEER_REDIS_PORT. redis-py parses with hiredis, as it does for Millpond.
"""

import json
import os

import redis
import rq
import tornado.web

from loadtest.peers import noop

queue = rq.Queue(connection=redis.Redis(port=int(os.environ["PEER_REDIS_PORT"])))


class Jobs(tornado.web.RequestHandler):
    """Enqueues, and answers the job's id."""

    def post(self) -> None:
        document = json.loads(self.request.body)
        job = queue.enqueue(noop.thumbnail, *document["args"], **document["kwargs"])
        self.set_status(202)
        self.write({"id": job.id})


app = tornado.web.Application([("/jobs", Jobs)], log_function=lambda handler: None)
