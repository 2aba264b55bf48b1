"""``python clock_ahead.py URL TIMES``: RQ's info again and again, on a host whose clock is an hour ahead. Prints RQ's time first."""

import datetime
import sys
import time

AHEAD_S = 3600


class Ahead(datetime.datetime):
    """Its `now` is in an hour."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "Ahead":
        return super().now(tz) + datetime.timedelta(seconds=AHEAD_S)


def main(url: str, times: int) -> None:
    """Set the clock before RQ is imported, then look."""
    real = time.time
    time.time = lambda: real() + AHEAD_S
    datetime.datetime = Ahead  # type: ignore[misc]
    from rq.cli.cli import main as rq
    from rq.utils import current_timestamp

    print(current_timestamp())
    for _ in range(times):
        for words in (["info"], ["info", "--raw"], ["info", "--by-queue"]):
            rq([*words, "--url", url], standalone_mode=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
