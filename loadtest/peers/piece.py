"""The ladder's piece of work as a Millpond task; the run's environment says how long it takes and where its ledger is."""

import os
import time
from pathlib import Path

from loadtest.ladder.ledger import Ledger
from millpond import task

SECONDS = float(os.environ.get("LADDER_SECONDS", "1"))
LEDGER = Ledger(Path(os.environ.get("LADDER_LEDGER", "/dev/stdout")))


@task
def piece(seconds: float, job_id: int) -> int:
    """Block as the ladder's servers do, say so in the ledger, and answer the job's number. `seconds` is the article's second."""
    time.sleep(SECONDS)
    LEDGER.add(job_id)
    return job_id
