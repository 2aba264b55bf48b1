"""A PostgreSQL of a benchmark's own, fsync on, with its default settings."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from loadtest.stage import REST, Process, Stage, free_port, listens, pinned, wait

_USER = "millpond"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """`url`: as MILLPOND_DATABASE_URL takes it."""

    url: str
    process: Process


def binaries() -> Path | None:
    """Where its server programs are; None if they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def start(stage: Stage, programs: Path) -> PostgresServer:
    """Start one on the core that what is measured has not; as the user postgres where we are root, which it refuses."""
    user = "postgres" if os.geteuid() == 0 else None
    folder, port = stage.folder / "postgres", free_port()
    folder.mkdir()
    if user:
        stage.folder.chmod(0o711)
        shutil.chown(folder, user)
    setup = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-locale"]
    subprocess.run(setup, check=True, user=user, cwd=folder, capture_output=True)
    listen = ["-D", str(folder / "data"), "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    process = stage.spawn([*pinned(REST), str(programs / "postgres"), *listen], cwd=folder, user=user)
    wait(lambda: listens(port), "PostgreSQL listens")
    return PostgresServer(f"postgresql://{_USER}@127.0.0.1:{port}/postgres", process)
