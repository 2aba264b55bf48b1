"""Whether a process is well, for container health checks: ``python -m millpond.health FILE_OR_URL [MAX_AGE_S]``.

A URL is well if it answers 2xx; a file, if the process touched it within MAX_AGE_S (default 15). Exit status 0 or 1; the reason
for 1 goes to stderr. Only the standard library is imported, because this runs every few seconds beside the process itself.
"""

import sys
import time
from pathlib import Path

MAX_AGE_S = 15.0
TIMEOUT_S = 2.0  # less than the time-out of any health check that calls this


def fault(target: str, max_age_s: float = MAX_AGE_S) -> str:
    """Why the target is not well, in one sentence; empty if it is."""
    return _url_fault(target) if "://" in target else _file_fault(Path(target), max_age_s)


def _file_fault(path: Path, max_age_s: float) -> str:
    try:
        # Both are the host's clock; a step of it heals with the next touch.
        age_s = time.time() - path.stat().st_mtime
    except OSError as error:
        return f"{path}: {error.strerror}"
    return f"{path} was last touched {age_s:.1f} s ago" if age_s > max_age_s else ""


def _url_fault(url: str) -> str:
    # Here, because they are most of what a check of a file would cost.
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return "" if 200 <= answer.status < 300 else f"{url} answered {answer.status}: {answer.read(300).decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"{url}: {error}"
    finally:
        connection.close()


def main(words: list[str]) -> int:
    """The command; answers its exit status."""
    if len(words) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    found = fault(words[0], float(words[1]) if len(words) == 2 else MAX_AGE_S)
    if found:
        print(found, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
