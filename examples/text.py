"""A small honest job that says how far it is."""

import re
from collections import Counter

from millpond import current_job, task


@task(timeout_s=30)
def word_count(text: str, top: int = 10) -> dict[str, int]:
    """Count the words of a text, without regard to case, and answer the `top` most frequent ones."""
    lines = text.splitlines() or [""]
    counts: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        counts.update(re.findall(r"[^\W_]+(?:['’][^\W_]+)*", line.lower()))
        if number % 1000 == 0:
            current_job().progress(number / len(lines), f"{number} of {len(lines)} lines")
    return dict(counts.most_common(top))
