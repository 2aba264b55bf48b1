"""How much slower than alone the machine may be on which the tests run.

The product's own times are held where nobody shares the machine (``--full``, ``make soak``). Elsewhere a neighbour's load stretches
every time, and a test says what must happen, in a time that tells late from never.
"""

SHARED, ALONE = 4.0, 1.0

_slack = SHARED


def allow(slack: float) -> None:
    """Let everything take so many times as long as alone."""
    global _slack
    _slack = slack


def within(seconds: float) -> float:
    """That bound as it holds on this machine."""
    return seconds * _slack
