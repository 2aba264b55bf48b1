"""``python -m loadtest burst``, ``bench`` and ``intake``."""

from loadtest.cli import app

if __name__ == "__main__":
    app()
