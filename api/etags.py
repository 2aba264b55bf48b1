"""Entity tags: a job's version as a strong validator (RFC 9110, 8.8.3), and the conditions that name it (13.1).

A record says one thing more than the job did before, `recorded_at`, at the same version: hence the `r`.
"""

import re
from typing import Final

from api.described import TEXT, Header, Parameter
from millpond.job import Job

ETAG: Final = Header("ETag", "The job's version, for If-Match and If-None-Match.", {"type": "string", "pattern": '^"[0-9]{1,18}r?"$'})
IF_MATCH: Final = Parameter(
    "If-Match",
    "header",
    "ETags of the job, of which one must have its version; `*` is any.",
    {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}r?"(, "[0-9]{1,18}r?")*)$'},
)
IF_NONE_MATCH: Final = Parameter("If-None-Match", "header", "ETags of the job as you have it; `*` is any.", TEXT)

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_OURS = re.compile(r'"([0-9]{1,18})r?"')


def tag(job: Job) -> str:
    """The ETag of a job as it is shown."""
    return f'"{job.version}{"r" if job.recorded_at else ""}"'


def unchanged(if_none_match: str | None, current: str) -> bool:
    """Whether If-None-Match names what the client would get: any of a list, compared weakly, or `*`."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or any(match[2] == current for match in _TAG.finditer(if_none_match))


def versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that If-Match allows; None: any. A weak tag matches nothing (strong comparison), nor does one that is not ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    strong = (_OURS.fullmatch(match[2]) for match in _TAG.finditer(if_match) if not match[1])
    return frozenset(int(ours[1]) for ours in strong if ours)
