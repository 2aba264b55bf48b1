"""The piece of work: it blocks, as a call to some other machine does."""

import time
from pathlib import Path

from loadtest.ladder.ledger import Ledger


def piece(seconds: float, ledger: Path, n: int) -> int:
    """Block, say in the ledger that job `n` is done, and answer its number. A plain function of a module: processes can run it too."""
    time.sleep(seconds)
    Ledger(ledger).add(n)
    return n
