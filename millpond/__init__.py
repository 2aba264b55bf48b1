"""Millpond: accept jobs over HTTP at once, run them behind, record every outcome once.

What a user needs is here: `task` and `current_job` for functions that run as jobs, `Client` and `AsyncClient` for the HTTP API,
`errors` for what they raise. Nothing heavy is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

from millpond import errors
from millpond.task import JobContext, current_job, task

if TYPE_CHECKING:
    from millpond.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "JobContext", "__version__", "current_job", "errors", "task"]


def __getattr__(name: str) -> Any:
    if name in ("Client", "AsyncClient"):
        from millpond import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
