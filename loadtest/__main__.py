"""``python -m loadtest burst`` and ``python -m loadtest bench``."""

from loadtest.cli import app

if __name__ == "__main__":
    app()
