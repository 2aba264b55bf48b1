"""The request as FastAPI's users declare it: the same facts that Millpond's catalogue checks."""

from typing import Literal

from pydantic import BaseModel


class Options(BaseModel):
    """Arguments by name."""

    quality: int = 80
    crop: bool = False


class Body(BaseModel):  # type: ignore[no-redef]  # mypy takes the field kwargs for the constructor's
    """A job to enqueue."""

    task: Literal["thumbnail"]
    args: tuple[str, int]
    kwargs: Options


class Accepted(BaseModel):
    """The answer; FastAPI writes a declared model by pydantic's own serializer, its fastest."""

    id: str
