"""A coroutine: thousands of these wait side by side on the worker's one loop."""

import asyncio
from typing import Any

from millpond import task


@task
async def echo(value: Any, seconds: float = 0.0) -> Any:
    """Answer `value` after `seconds` without keeping a thread busy."""
    await asyncio.sleep(seconds)
    return value
