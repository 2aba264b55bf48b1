"""What a replica says of itself at /metrics."""

from tests.api.replica import Replica


def gauges(replica: Replica) -> dict[str, float]:
    """Every sample by its name and labels, as Prometheus's text has them."""
    lines = (line for line in replica.http.get("/metrics").text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def stalls(before: dict[str, float], after: dict[str, float], clock: str, over_s: str) -> tuple[int, int]:
    """How often the loop was late by more than `over_s` (a bound of the histogram) between two looks, and of how many times."""
    name = "millpond_loop_stall_seconds_bucket"

    def grown(bound: str) -> int:
        key = f'{name}{{clock="{clock}",le="{bound}"}}'
        return int(after[key] - before[key])

    return grown("+Inf") - grown(over_s), grown("+Inf")
