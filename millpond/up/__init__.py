"""`millpond up`: the whole system on one machine without containers.

Redis or Valkey, the database's tables, then API, workers and collector, each started when what it needs is ready, started again
when it dies, and drained in the order api, workers, collector, redis. Whatever ends this process, nothing of it stays behind.
"""

import http.client
import json
import time
from contextlib import closing

from millpond.errors import MillpondError
from millpond.up.folder import Folder
from millpond.up.parts import HOST, Options, Plan, answers, refuse_taken
from millpond.up.supervisor import GaveUp, Stopped, Supervisor
from millpond.up.voice import Voice

__all__ = ["Options", "run"]

LOADING_S = 600.0  # Redis reads its file at start: about a minute for 10 GB
READY_S = 60.0


def run(options: Options) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; answers the exit status: 0 after a drain, 1 if a part cannot run, 2 for a wrong option."""
    began = time.monotonic()
    voice = Voice()
    folder = Folder(options.data)
    try:
        refuse_taken(options.port)
        folder.take()
        plan = Plan(options, folder)
    except MillpondError as error:
        voice.fault(error.detail)
        return 2
    supervisor = Supervisor(folder.logs, voice.line, voice.say)
    try:
        _bring_up(plan, supervisor)
        voice.ready(plan, time.monotonic() - began, _task_names(options.port))
        supervisor.watch()
        voice.say("stopping: no new requests, then running jobs get 25 s, then the rest; Ctrl-C again cuts")
        supervisor.drain()
    except Stopped:
        supervisor.drain()
    except GaveUp as error:
        voice.fault(error.detail)
        return 1
    finally:
        supervisor.cut()
    voice.say("stopped")
    return 0


def _bring_up(plan: Plan, supervisor: Supervisor) -> None:
    if not plan.options.redis_url:
        supervisor.until_ready(supervisor.start([plan.redis()]), LOADING_S)
    elif not answers(plan.redis_url):
        raise GaveUp("Redis does not answer at the URL given with --redis-url")
    supervisor.complete(plan.migration(), READY_S)
    services = supervisor.start([plan.collector(), *plan.workers(), plan.api()])
    supervisor.until_ready(services, READY_S)
    supervisor.until(lambda: bool(_task_names(plan.options.port)), READY_S, lambda: "the API does not see the workers' tasks")


def _task_names(port: int) -> list[str]:
    """The tasks that the API knows; none while it does not answer."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=2)) as connection:
        try:
            connection.request("GET", "/v1/tasks")
            answer = connection.getresponse()
            return [task["name"] for task in json.loads(answer.read())["tasks"]] if answer.status == 200 else []
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return []
