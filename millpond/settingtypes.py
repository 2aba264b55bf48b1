"""The kinds of values that settings have, and what is said when a value is none."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from millpond import failpoint
from millpond.errors import BadSetting
from millpond.task import QUEUE_NAME


def _has_scheme(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        if not url.startswith(tuple(scheme + "://" for scheme in schemes)):
            raise ValueError("must begin with " + " or ".join(f"{scheme}://" for scheme in schemes))
        urlsplit(url).port  # noqa: B018  (raises ValueError for a port that is none)
        return url

    return AfterValidator(check)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _queue_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not QUEUE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a queue's name: {QUEUE_NAME.pattern}")
    if len(set(names)) < len(names):
        raise ValueError("names a queue twice")
    return names


def _module_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"{name!r} is not a module's name")
    return names


def _named_point(setting: str) -> str:
    try:
        failpoint.parse(setting)
    except BadSetting as error:
        raise ValueError(error.detail) from error
    return setting


RedisUrl = Annotated[str, _has_scheme("redis", "rediss", "unix")]
DatabaseUrl = Annotated[str, _has_scheme("postgresql", "sqlite")]
Queues = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), Field(min_length=1), AfterValidator(_queue_names)]
Modules = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_module_names)]
FailPoint = Annotated[str, AfterValidator(_named_point)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
