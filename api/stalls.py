"""How long the loop is held up: by what we do in one turn, or by a machine that gives us no time."""

import asyncio
import time

from millpond.metrics import LOOP_STALL_SECONDS

TICK_S = 0.02  # what is measured is at most this much too little


async def measure() -> None:
    """Be late, and say by how much; for ever."""
    loop = asyncio.get_running_loop()
    wall, cpu = LOOP_STALL_SECONDS.labels("wall"), LOOP_STALL_SECONDS.labels("cpu")
    while True:
        due, worked = loop.time() + TICK_S, time.thread_time()
        await asyncio.sleep(TICK_S)
        late = max(0.0, loop.time() - due)
        wall.observe(late)
        cpu.observe(min(late, time.thread_time() - worked))
