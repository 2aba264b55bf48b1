"""What Tornado itself costs: a RequestHandler that answers a constant, for ``gunicorn -k tornado loadtest.peers.constant:app``.

The constant is as long as Millpond's own answer to the same request.
"""

from tornado.web import Application, RequestHandler

ANSWER = (
    b'{"id":"0199d1f0a1b27c3d8e4f5a6b7c8d9e0f","task":"thumbnail","queue":"default","status":"queued","reason":null,"attempt":0,'
    b'"failures":0,"max_attempts":3,"run":1,"version":1,"args":["pictures/2026/november/the-mill-beside-its-pond-100000000001.jpeg",1024],'
    b'"kwargs":{"quality":85,"crop":true},"tags":{},"owner":"public","timeout_s":300.0,"worker":null,"progress":null,'
    b'"created_at":"2026-01-01T00:00:00.000Z","enqueued_at":"2026-01-01T00:00:00.000Z","started_at":null,"ended_at":null,'
    b'"recorded_at":null,"run_at":null,"expires_at":null,"result":null,"error":null}'
)


class Constant(RequestHandler):
    """Reads nothing, does nothing."""

    def post(self) -> None:
        self.set_status(202)
        self.set_header("Content-Type", "application/json")
        self.write(ANSWER)


app = Application([("/jobs", Constant)], log_function=lambda handler: None)
