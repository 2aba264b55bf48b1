"""gunicorn's settings, all from Millpond's own (millpond.settings.ApiSettings): one process, our worker class."""

# ruff: noqa: N999  (the name is gunicorn's)

import math
import os
import sys
from typing import Any

from api.durability import first_look
from millpond import logs
from millpond.settings import ApiSettings, load

_settings = load(ApiSettings)
logs.configure("api", _settings.log_level)

bind = f"{_settings.host}:{_settings.port}"
workers = 1  # more are more replicas, behind a proxy that sees each of them drain
worker_class = "api.serving.DrainingWorker"
logger_class = "api.serving.JsonLogger"
timeout = 30  # a loop that stood still for so long is killed
graceful_timeout = math.ceil(_settings.drain_s) + 2  # gunicorn's own patience; the worker is done within drain_s
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a read-only container has no /tmp
control_socket_disable = True
preload_app = False
loglevel = _settings.log_level
accesslog = None


def on_starting(server: Any) -> None:
    """Refuse to start on a Redis that would lose what we promise; before anything listens (rule 10)."""
    verdict = first_look(_settings.redis_url, _settings.durability)
    if verdict and verdict.faults:
        logs.get("api").error("api_refused_to_start", code="durability_weak", faults=list(verdict.faults))
        sys.exit(3)
