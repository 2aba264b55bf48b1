"""Each key that a move touches, set to each wrong type in turn: the move answers, other jobs go their way, no id is lost.

Which keys a move touches is not listed here but seen: it runs once while a second connection watches what Redis does.
"""

from collections.abc import Iterator

import pytest
import redis

from millpond import keys
from tests.millpond.scripts.pond import Pond
from tests.millpond.scripts.village import DEEDS, QUEUES, Village, Villages
from tests.servers import RedisServer

WRONG = {
    "string": ("SET", "x"),
    "list": ("RPUSH", "x"),
    "set": ("SADD", "x"),
    "zset": ("ZADD", 1, "x"),
    "hash": ("HSET", "x", "x"),
    "stream": ("XADD", "*", "x", "x"),
}

# Keys that only show or hasten: broken, they change the way of no job.
SHOWS = (
    *(keys.PREFIXES[name] for name in ("WIP", "FINISHED", "FAILED", "CANCELED", "RQ_WORKER", "RQ_WORKERS_OF", "RQ_RESULTS")),
    *(keys.PREFIXES[name] for name in ("RQ_EXECUTION", "RQ_EXECUTIONS", "WAKE", "IDLE", "DRAINED", "ALIVE", "ASIDE")),
    *(keys.RQ_WORKERS, keys.QUARANTINE, keys.RESENT, keys.EXECUTION, keys.OWNERS, keys.BYTES, keys.ACCEPTED, keys.AWAITED),
)

OF_GATES = ("passed", "held")  # jobs with a gate


@pytest.fixture(scope="module")
def villages(quick_server: RedisServer) -> Iterator[Villages]:
    """As many equal villages as there are cases."""
    with redis.Redis.from_url(quick_server.url, socket_timeout=10) as client:
        yield Villages(Pond(client))


def touched(villages: Villages, deed: str) -> set[str]:
    """The keys that a move touches."""
    village = villages.next()
    prepare(village, deed)
    seen: set[str] = set()
    with village.pond.client.monitor() as monitor:
        DEEDS[deed](village)
        village.pond.ask("ECHO", "the end")
        while "the end" not in (command := monitor.next_command())["command"]:
            if command["client_type"] == "lua":
                seen |= {word.strip('"') for word in command["command"].split()[1:]}
    single = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    return {word for word in seen if word in single or word.startswith(tuple(keys.PREFIXES.values()))}


def prepare(village: Village, deed: str) -> None:
    if deed == "take_back":
        village.pond.bury("w1")


def cases(villages: Villages, deed: str) -> Iterator[tuple[str, list[str]]]:
    """The keys to try with one move, of those that are alike but for the job or queue one, and for each all wrong types."""
    alike: dict[str, str] = {}
    for key in sorted(touched(villages, deed)):
        pattern = key
        for name, id in villages.next().ids.items():
            pattern = pattern.replace(id, name.split(".")[0]) if id in key else pattern
        for job in villages.next().claimed.values():
            pattern = pattern.replace(job.execution, "execution")
        for queue in QUEUES:
            pattern = pattern.removesuffix(f":{queue}")
        alike.setdefault(pattern, key)
    village = villages.next()
    for key in alike.values():
        right = village.pond.ask("TYPE", key).decode()
        yield key, [kind for kind in WRONG if kind != right]


def beside(village: Village, name: str) -> list[str]:
    """The jobs with the same gate as one: what becomes of one decides who is next."""
    if not name.startswith(OF_GATES):
        return []
    return [other for other in village.ids if other.startswith(OF_GATES) and f".{name.split('.')[1]}." in other]


def hurt(village: Village, name: str, key: str) -> bool:
    """Whether a job may go another way because this key is broken."""
    if key.startswith(SHOWS):
        return False
    if any(id in key for id in village.ids.values()):
        return any(village[other] in key for other in (name, *beside(village, name)))
    of_queue = [queue for queue in QUEUES if key.endswith(f":{queue}")]
    return not of_queue or f".{of_queue[0]}." in name


def faults(village: Village, deed: str, key: str, kind: str, expected: dict[str, str]) -> Iterator[str]:
    """What goes wrong at once in one case."""
    pond = village.pond
    prepare(village, deed)
    command, *rest = WRONG[kind]
    pond.ask("DEL", key)
    pond.ask(command, key, *rest)
    try:
        DEEDS[deed](village)
    except redis.exceptions.ResponseError as error:
        yield f"the script raised: {error}"
    states = village.states()
    other = [name for name in states if states[name] != expected.get(name, states[name]) and not hurt(village, name, key)]
    yield from (f"{name} went another way: {states[name]}" for name in other)
    if key != keys.OPEN:
        yield from (f"{name} is neither open nor recorded" for name in village.lost())


def faults_later(village: Village, key: str, kind: str) -> Iterator[str]:
    """What does not come right after the key was deleted."""
    pond = village.pond
    if pond.ask("TYPE", key).decode() == kind:
        pond.ask("DEL", key)
    village.finish_all()
    yield from (f"{name} has no end: {pond.job(id)}" for name, id in village.ids.items() if id not in village.ended)
    yield from (f"{name} is open for ever" for name, id in village.ids.items() if id in pond.open())
    yield from (f"{name} is no key of ours" for name in pond.strange_keys())


@pytest.mark.parametrize("deed", DEEDS)
def test_any_key_of_any_wrong_type(villages: Villages, deed: str) -> None:
    village = villages.next()
    prepare(village, deed)
    DEEDS[deed](village)
    expected = village.states()
    found = []
    for key, kinds in cases(villages, deed):
        for kind in kinds:
            village = villages.next()
            found += [f"{key} a {kind}: {fault}" for fault in faults(village, deed, key, kind, expected)]
        # Of which type it was does not matter any more once it is deleted.
        found += [f"{key} a {kind}, deleted: {fault}" for fault in faults_later(village, key, kind)]
    assert found == []


def test_without_any_fault_all_jobs_end(villages: Villages) -> None:
    village = villages.next()
    village.finish_all(3)
    assert set(village.ids.values()) == village.ended
