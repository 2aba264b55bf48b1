"""Processes whose host's clock is wrong."""

from pathlib import Path

FOLDER = Path(__file__).parent / "clock"
HOUR_S = 3600


def ahead(env: dict[str, str], seconds: float = HOUR_S) -> dict[str, str]:
    """An environment in which Python's wall clock is ahead, or behind."""
    path = ":".join(filter(None, (str(FOLDER), env.get("PYTHONPATH", ""))))
    return {**env, "PYTHONPATH": path, "SHIFTED_S": str(seconds)}
