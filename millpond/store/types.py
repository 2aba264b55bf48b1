"""Column types that PostgreSQL and SQLite spell differently."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Dialect, String, Text, cast
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType


class Id(TypeDecorator[str]):
    """An id; ids compare byte by byte on both engines, as Python sorts them."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()


class Moment(TypeDecorator[datetime]):
    """Aware UTC time: timestamptz, or text of fixed width (microseconds, Z), which sorts as the time does."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return TIMESTAMP(timezone=True) if dialect.name == "postgresql" else String()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC)


class JsonText(TypeDecorator[str]):
    """JSON kept to the byte: PostgreSQL's `json` stores the text and opens it to SQL's operators. Read as text, not parsed."""

    impl = Text
    cache_ok = True
    postgres_name = "JSON"

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return _Named(self.postgres_name) if dialect.name == "postgresql" else Text()

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(column, Text)


class Tags(JsonText):
    """A flat JSON object of strings that can be searched; PostgreSQL's `jsonb` does not keep its text to the byte."""

    cache_ok = True
    postgres_name = "JSONB"


class _Named(UserDefinedType[str]):
    """A PostgreSQL type under its name, without the conversions that SQLAlchemy's own have."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name
