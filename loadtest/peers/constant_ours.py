"""The same RequestHandler under Millpond's own server and gunicorn worker class: what is left is Tornado's handler.

Served as the API is: ``gunicorn -c api/gunicorn.conf.py loadtest.peers.constant_ours:app``.
"""

from tornado.web import RequestHandler

from api.app import Api
from loadtest.peers.constant import Constant
from millpond.settings import ApiSettings, load


class Bare(Api):
    """The API's application with one more route, which knows nothing of jobs."""

    def __init__(self, config: ApiSettings) -> None:
        super().__init__(config)
        self.add_handlers(".*", [("/jobs", Constant)])

    def log_request(self, handler: RequestHandler) -> None:
        """Nothing is counted: the peer under stock gunicorn counts nothing either."""


app = Bare(load(ApiSettings))
