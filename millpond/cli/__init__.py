"""The command `millpond`. What it needs beyond the library is in the extras `client` and `embedded`."""

import sys


def main() -> None:
    """Entry point of the script."""
    try:
        from millpond.cli.commands import app
    except ModuleNotFoundError as error:
        print(f"millpond: the package {error.name} is missing: pip install 'millpond[client]'", file=sys.stderr)
        raise SystemExit(2) from error
    app()
