"""What gunicorn serves: ``python -m gunicorn -c api/gunicorn.conf.py api.wsgi:app``."""

from api.app import Api
from millpond import failpoint
from millpond.settings import ApiSettings, load

_settings = load(ApiSettings)
failpoint.configure(_settings.failpoint)

app = Api(_settings)
