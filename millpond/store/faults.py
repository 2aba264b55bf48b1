"""What a database error means: the database cannot be used now, or it refuses these values for ever."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from millpond.errors import MillpondError, RowRefused, StoreUnavailable

# SQLSTATE classes that lie in the values: 21 cardinality, 22 data, 23 constraints, 54 limits (an index key of over 2.7 kB). The driver
# files 21 and 54 under errors that otherwise mean a broken statement or server.
_VALUES = ("21", "22", "23", "54")


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the body's database errors mean: StoreUnavailable or RowRefused, never anything of a driver's."""
    try:
        yield
    except exc.StatementError as error:
        raise _meaning(error) from error
    except exc.SQLAlchemyError as error:
        raise StoreUnavailable(f"The database cannot be used: {error}") from error
    except (UnicodeError, OverflowError) as error:
        raise RowRefused(f"The database cannot hold this: {error}") from error


def _meaning(error: exc.StatementError) -> MillpondError:
    # Only the first line: what follows quotes the statement and the row, up to a megabyte of them.
    said = str(error.orig).splitlines()[0] if error.orig and str(error.orig) else type(error).__name__
    if _lies_in_the_values(error):
        return RowRefused(f"The database refuses these values: {said}")
    return StoreUnavailable(f"The database cannot be used: {said}")


def _lies_in_the_values(error: exc.StatementError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return str(state).startswith(_VALUES)
    values = (exc.DataError, exc.IntegrityError)
    return isinstance(error, values) or isinstance(error.orig, UnicodeError | OverflowError)
