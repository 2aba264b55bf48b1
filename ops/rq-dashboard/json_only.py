"""Settings for rq-dashboard (``--config json_only``): it reads the JSON that Millpond writes on every page, and opens no pickle.

rq-dashboard 0.9 heeds its own ``--json`` in some places only: the list of workers answers 500 while one of them is at work (web.py,
`list_workers`), and with neither it would unpickle what anybody put into Redis.
"""

from rq.serializers import DefaultSerializer, JSONSerializer

DefaultSerializer.dumps, DefaultSerializer.loads = JSONSerializer.dumps, JSONSerializer.loads
