"""The data folder of `millpond up`: what is in it, and that only one of us uses it."""

import fcntl
import os
from io import TextIOWrapper
from pathlib import Path

from millpond.errors import BadSetting


class Folder:
    """`redis/` and `millpond.db` are the data; `log/` can be deleted; `run/` and `lock` matter only while we run."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.redis = self.path / "redis"
        self.database = self.path / "millpond.db"
        self.logs = self.path / "log"
        self.run = self.path / "run"
        self._lock: TextIOWrapper | None = None

    def take(self) -> None:
        """Create it and lock it until this process ends. Raises BadSetting if another process holds it, or it cannot be used."""
        if "?" in str(self.path):  # the database's URL would end there
            raise BadSetting(f"the data folder {self.path} has a question mark in its name: choose another with --data")
        try:
            for folder in (self.path, self.redis, self.logs, self.run):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise BadSetting(f"the data folder {self.path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "unknown"
            raise BadSetting(f"the data folder {self.path} is in use by process {owner}: stop it, or choose another with --data") from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def pulse(self, name: str) -> Path:
        """The file that a service touches as its loop turns; that of an earlier run is gone."""
        file = self.run / f"{name}.health"
        file.unlink(missing_ok=True)
        return file
