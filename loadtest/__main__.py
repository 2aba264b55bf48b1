"""``python -m loadtest burst``, ``ladder``, ``bench``, ``intake`` and ``worker``."""

if __name__ == "__main__":
    # Only here: each process that a burst starts imports this module anew, and would wait for all that the commands import.
    from loadtest.cli import app

    app()
