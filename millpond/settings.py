"""What each service can be told: MILLPOND_* variables, or MILLPOND_*_FILE naming a file that holds the value.

The only reader of the environment. `load` reports every fault at once, one line each by the variable's name, and exits 2.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from millpond.errors import BadSetting
from millpond.settingtypes import DatabaseUrl, FailPoint, LogLevel, Modules, Queues, RedisUrl
from millpond.task import Pool

PREFIX: Final = "MILLPOND_"


class _FileSource(PydanticBaseSettingsSource):
    """MILLPOND_X_FILE: the value of MILLPOND_X is what that file holds, without its last line's end."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name}_FILE".upper())
        try:
            return (Path(path).read_text().rstrip("\r\n") if path else None), field_name, False
        except (OSError, ValueError):
            return None, field_name, False  # `_unreadable` tells it

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """What every service can be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True)

    log_level: LogLevel = Field("info", description="The least level that is logged.")
    health_file: str = Field("", description="A file that the service touches as its loop turns, for `millpond.health`; empty: none.")
    failpoint: FailPoint = Field("", description="For tests alone: name:kill|pause[:count] (`millpond.failpoint`).")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls)


class _WithRedis(Settings):
    redis_url: RedisUrl = Field(
        "redis://127.0.0.1:6379/0", repr=False, description="Redis, with the queues and open jobs: redis://, rediss:// or unix://."
    )


class _WithDatabase(Settings):
    database_url: DatabaseUrl = Field(
        "sqlite:///millpond.db", repr=False, description="The database of the record: postgresql:// or sqlite:///."
    )


class _WithRetention(Settings):
    retention_days: int = Field(
        30, ge=0, le=36_500, description="Days that a recorded job stays in the database, and a batch in Redis; 0: for ever."
    )


class _WithMetrics(Settings):
    metrics_port: int = Field(0, ge=0, le=65_535, description="The port on which its metrics are served; 0: none. The API's are on PORT.")


class StoreSettings(_WithDatabase):
    """The migration job."""


class ApiSettings(_WithRedis, _WithDatabase, _WithRetention):
    """The HTTP API."""

    host: str = Field("0.0.0.0", description="The address to listen on.")
    port: int = Field(8888, ge=1, le=65535, description="The port to listen on.")
    durability: Literal["always", "everysec", "none"] = Field(
        "always", description="What Redis must sync before a 202: each write, every second's, or nothing."
    )
    classic: bool = Field(False, description="on: serve the articles' GET / and GET /test, where a GET makes work.")
    classic_task: str = Field("sleep", description="The task that the classic GET / submits.")
    test_task: str = Field("cluster_info_threads", description="The task that the classic GET /test submits.")
    test_seconds: float = Field(3, ge=0, le=60, description="Seconds that each call of GET /test takes.")
    max_body_bytes: int = Field(1_048_576, ge=1024, le=16_777_216, description="The longest request body that is read.")
    max_body_values: int = Field(
        10_000, ge=100, le=1_000_000, description="The most JSON values in one body, counted by commas and opening brackets."
    )
    max_header_bytes: int = Field(16_384, ge=1024, le=1_048_576, description="The longest request head that is read.")
    max_url_bytes: int = Field(8192, ge=256, le=65_536, description="The longest URL that is read.")
    max_connections: int = Field(
        10_000, ge=16, le=1_000_000, description="Connections that are open at once; fewer where the system allows fewer open files."
    )
    header_timeout_s: float = Field(10, gt=0, le=3600, description="Seconds for a request's head to arrive.")
    body_timeout_s: float = Field(10, gt=0, le=3600, description="Seconds for a request's body to arrive.")
    idle_timeout_s: float = Field(75, gt=0, le=86_400, description="Seconds that an idle connection is kept: more than a proxy's.")
    drain_s: float = Field(25, ge=0, le=3600, description="Seconds that open requests get after SIGTERM.")
    heartbeat_s: float = Field(15, gt=0, le=60, description="Seconds of silence after which an event stream says that it lives.")
    idempotency_h: int = Field(24, ge=1, le=168, description="Hours that an Idempotency-Key is remembered.")
    queue_max_jobs: int = Field(5_000_000, ge=0, description="Jobs that may wait in one queue, scheduled ones included; 0: any number.")
    queue_max_bytes: int = Field(
        4_294_967_296, ge=0, description="Bytes of arguments that the open jobs of one queue may have together; 0: any number."
    )
    owner_max_jobs: int = Field(0, ge=0, description="Jobs of one owner that may be accepted and not yet recorded as ended; 0: any number.")
    redis_full_at: float = Field(
        0.7, ge=0, le=1, description="The part of Redis's maxmemory from which on no job is accepted, so that those in it can end; 0: all."
    )
    replicas_ack: int = Field(0, ge=0, le=16, description="Redis replicas that must have a job on disk before its 202.")


class WorkerSettings(_WithRedis, _WithMetrics):
    """A worker: the parent and its child."""

    tasks: Modules = Field((), description="The modules that define tasks, comma separated.")
    queues: Queues = Field(("default",), description="The queues to serve, comma separated; their order is their priority.")
    pool: Pool = Field(
        "thread", description="What carries out plain functions, unless their task says; coroutine functions always run on a loop."
    )
    concurrency: int = Field(20, ge=1, le=1000, description="Jobs that run at once.")
    prefetch: int = Field(
        -1,
        ge=-1,
        le=1000,
        description="Jobs claimed beyond those that run; -1: as many as its slots can do in 10 ms and, at the present pace, do in 40.",
    )
    grace_s: float = Field(25, ge=0, le=3600, description="Seconds that running jobs get after SIGTERM; then they are handed back.")
    runner_jobs: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Jobs after which a runner of the pools process and gevent is replaced; 0: any number.",
    )
    runner_memory_mb: int = Field(
        0,
        ge=0,
        le=1_048_576,
        description="MiB that a runner may allocate; a job that asks for more gets a MemoryError, and a runner that keeps half of it is "
        "replaced after its job; 0: any amount.",
    )
    max_result_bytes: int = Field(1_048_576, ge=1024, le=67_108_864, description="The longest result, as JSON.")
    max_log_lines: int = Field(1000, ge=0, le=100_000, description="The most lines that are kept of what one attempt says.")
    max_log_bytes: int = Field(65_536, ge=0, le=1_048_576, description="The most bytes that are kept of what one attempt says.")


class CollectorSettings(_WithRedis, _WithDatabase, _WithRetention, _WithMetrics):
    """A collector and its keeper."""

    batch: int = Field(500, ge=1, le=10_000, description="The most events recorded in one transaction.")
    failed_keep: int = Field(1000, ge=0, le=1_000_000, description="Recorded failed jobs that stay in Redis, per queue, for RQ's tools.")
    forget_grace_s: float = Field(60, ge=0, le=86_400, description="Seconds that a recorded job's hash stays in Redis.")
    dead_consumer_s: float = Field(10, ge=1, le=3600, description="Seconds of silence after which another collector takes over its events.")


SERVICES: Final[dict[str, type[Settings]]] = {
    "api": ApiSettings,
    "worker": WorkerSettings,
    "collector": CollectorSettings,
    "store": StoreSettings,
}
S = TypeVar("S", bound=Settings)

# What Kubernetes adds for a Service called millpond* (enableServiceLinks), beside MILLPOND_PORT, which it would overwrite.
_SERVICE_LINK = re.compile(PREFIX + r"(.*_)?(SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP)\w*)")


def load(cls: type[S]) -> S:
    """The settings of one service; where any is wrong, all faults on standard error, and SystemExit(2)."""
    try:
        return read(cls)
    except BadSetting as error:
        print(error.detail, file=sys.stderr)
        raise SystemExit(2) from error


def read(cls: type[S]) -> S:
    """As `load`, but raises BadSetting with one line for each fault."""
    faults = [*_unknown(), *_unreadable(cls)]
    try:
        settings = cls()
    except ValidationError as error:
        raise BadSetting("\n".join([*faults, *(_fault(one) for one in error.errors())])) from error
    if faults:
        raise BadSetting("\n".join(faults))
    return settings


def _fault(error: Any) -> str:
    field = str(error["loc"][0])
    message = str(error["msg"]).removeprefix("Value error, ")
    # A URL may hold a password.
    shown = "" if field.endswith("_url") else f" (it is {str(error['input'])[:100]!r})"
    return f"{PREFIX}{field.upper()}: {message[:1].lower()}{message[1:]}{shown}"


def _unknown() -> Iterator[str]:
    known = {PREFIX + name.upper() for cls in SERVICES.values() for name in cls.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.removesuffix("_FILE") not in known and name not in known and not _SERVICE_LINK.fullmatch(name):
            yield f"{name}: there is no such setting"


def _unreadable(cls: type[Settings]) -> Iterator[str]:
    for field in cls.model_fields:
        name = PREFIX + field.upper()
        path = os.environ.get(name + "_FILE")
        if path is None:
            continue
        if name in os.environ:
            yield f"{name}: given twice, also as {name}_FILE"
        try:
            Path(path).read_text()
        except (OSError, ValueError) as error:
            yield f"{name}_FILE: cannot be read: {error}"


@dataclass(frozen=True, slots=True)
class Described:
    """One setting for docs: `values` says what it takes, `services` who reads it."""

    name: str
    values: str
    default: str
    services: tuple[str, ...]
    meaning: str


def describe() -> list[Described]:
    """All settings, in the order of their services."""
    fields: dict[str, FieldInfo] = {}
    readers: dict[str, list[str]] = {}
    for service, cls in SERVICES.items():
        for name, field in cls.model_fields.items():
            fields.setdefault(name, field)
            readers.setdefault(name, []).append(service)
    return [
        Described(PREFIX + name.upper(), _values(field), _default(field.default), tuple(readers[name]), field.description or "")
        for name, field in fields.items()
    ]


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " | ".join(get_args(field.annotation))
    if field.annotation is bool:
        return "on | off"
    if get_origin(field.annotation) is tuple:
        return "words, comma separated"
    bounds = [f"{sign} {getattr(rule, kind)}" for rule in field.metadata for kind, sign in _BOUNDS.items() if hasattr(rule, kind)]
    return ", ".join([_TYPES.get(field.annotation, "text"), *bounds])


_BOUNDS: Final = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_TYPES: Final[dict[Any, str]] = {int: "integer", float: "number"}


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def shown(settings: Settings) -> dict[str, str]:
    """The settings as a log may show them: a URL without its user's password."""
    values = {name: _default(getattr(settings, name)) for name in type(settings).model_fields}
    return {name: _masked(value) if name.endswith("_url") else value for name, value in values.items()}


def _masked(url: str) -> str:
    scheme, _, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}:***@{place}" if at and ":" in login else url


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process of ours that we start: this one's, with `settings` (by field name) instead of its own."""
    given = {PREFIX + name.upper(): value for name, value in settings.items()}
    return {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in given} | given
