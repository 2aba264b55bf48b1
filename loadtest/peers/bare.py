"""``python -m loadtest.peers.bare TURNS COUNT``: a CPU-bound function, called in a process that does nothing else.

It says "ready", waits for a line, and prints the seconds that `COUNT` calls took.
"""

import sys
import time

from loadtest.peers.noop import burn


def main(turns: int, count: int) -> None:
    """Call it."""
    burn(turns)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    for _ in range(count):
        burn(turns)
    print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
