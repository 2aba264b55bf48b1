"""Open files: every connection is one, and a server that has no more cannot even refuse."""

import resource

_OURS = 200  # Redis, the database, logs, listening sockets, connections that are being refused


def room(wanted: int) -> int:
    """How many connections fit beside our own files, at most `wanted`; the soft limit is raised as far as the hard one lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OURS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OURS))
