"""What a figure belongs to: the machine, the servers' versions, and where their data is."""

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from loadtest.intake.contenders import PEERS_PYTHON
from loadtest.stage import RedisServer

OURS = ("tornado", "gunicorn", "redis", "hiredis", "rq", "orjson", "pydantic")
PEERS = ("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "arq", "celery", "kombu", "huey", "redis", "hiredis")
_ASK = "import sys, importlib.metadata as m; print(*(m.version(name) for name in sys.argv[1:]))"


def machine(folder: Path) -> dict[str, object]:
    """The processor, its cores, its load now, and the file system that fsync is for."""
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    file_system = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "processor": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
        "file_system": file_system,
    }


def versions(redis: RedisServer, peers: Sequence[str] = PEERS) -> dict[str, dict[str, str]]:
    """Of Python and Redis, of the packages on our side, and of the peers' where they are installed."""
    with redis.client() as client:
        info: dict[str, str] = client.info("server")
    server = info.get("valkey_version") or info["redis_version"]
    found = {"server": {"python": platform.python_version(), info.get("server_name", "redis"): server}}
    found["ours"] = {name: version(name) for name in OURS}
    return found | ({"peers": installed(PEERS_PYTHON, peers)} if PEERS_PYTHON.exists() else {})


def installed(python: Path, names: Sequence[str]) -> dict[str, str]:
    """The versions of packages of another Python."""
    said = subprocess.run([python, "-c", _ASK, *names], capture_output=True, text=True, check=True).stdout
    return dict(zip(names, said.split(), strict=True))
