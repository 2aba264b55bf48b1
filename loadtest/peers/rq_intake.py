"""Stock RQ behind stock Tornado: ``rq.Queue.enqueue`` in the handler, for ``gunicorn -k tornado loadtest.peers.rq_intake:app``.

The Redis is named by the variable PEER_REDIS_PORT.
"""

import json
import os

import redis
import rq
import tornado.web

from loadtest.peers.noop import noop

queue = rq.Queue(connection=redis.Redis(port=int(os.environ["PEER_REDIS_PORT"])))


class Jobs(tornado.web.RequestHandler):
    """Enqueues, and answers the job's id."""

    def post(self) -> None:
        job = queue.enqueue(noop, *json.loads(self.request.body)["args"])
        self.set_status(202)
        self.write({"id": job.id})


app = tornado.web.Application([("/jobs", Jobs)], log_function=lambda handler: None)
