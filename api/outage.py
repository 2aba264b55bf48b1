"""Says once that something is away, and once that it is back: not with every request that meets it."""

from millpond import logs


class Outage:
    """The presence of one thing that we need, as last seen; `name` begins its events (redis_lost, redis_back)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._fault = ""
        self._log = logs.get("api")

    def seen(self, fault: str = "") -> None:
        """Tell how it is: "" is well."""
        if fault and not self._fault:
            self._log.warning(f"{self._name}_lost", detail=fault)
        elif self._fault and not fault:
            self._log.info(f"{self._name}_back")
        self._fault = fault
