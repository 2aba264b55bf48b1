"""``python -m millpond.store upgrade``: the migration job of every deployment."""

import sys

from millpond.errors import MillpondError
from millpond.settings import StoreSettings, load
from millpond.store import open_store


def main(words: list[str]) -> int:
    """The command; answers its exit status."""
    if words != ["upgrade"]:
        print("usage: python -m millpond.store upgrade", file=sys.stderr)
        return 2
    settings = load(StoreSettings)
    try:
        store = open_store(settings.database_url)
        store.upgrade()
    except MillpondError as error:
        print(error, file=sys.stderr)
        return 2 if error.code == "bad_setting" else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
