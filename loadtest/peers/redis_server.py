"""``python -m loadtest.peers.redis_server PORT FOLDER``: a Redis that keeps what it answered, the same for both sides."""

import os
import sys
from pathlib import Path

from millpond import redis_server

if __name__ == "__main__":
    port, folder = sys.argv[1:]
    binary = str(redis_server.find())
    os.execv(binary, [binary, "--bind", "127.0.0.1", "--port", port, *redis_server.durable(Path(folder))])
