"""Every move on Redis as a value: which script, which arguments, how to read its answer.

A `Call` does no input or output, so the API sends it over asyncio, the worker's child over its own connection, the collector
over a pool (`millpond.broker`). Times are milliseconds of Redis's clock unless a name says otherwise.
"""

from millpond.moves.batches import (
    Accepted,
    Appended,
    Begun,
    CalledOff,
    Counter,
    Lines,
    append,
    begin,
    call_off,
    line_id,
    line_of,
    lines_of,
    new_batch_id,
    survey,
)
from millpond.moves.call import Arg, Call, pairs, text
from millpond.moves.child import Claim, Claimed, Comparison, HandBack, Held, Outcome, claim, compare, finish, hand_back, report, start
from millpond.moves.control import Changed, Heard, Told, cancel, glance, listen, listen_all, pause, resume, retry
from millpond.moves.intake import UNLIMITED, Limits, Submission, Submitted, submit
from millpond.moves.keeper import Committed, Reconciled, enroll, forget, promote, reconcile, recorded, take_back, tick
from millpond.moves.parent import Beat, heartbeat, register

__all__ = [
    "UNLIMITED",
    "Accepted",
    "Appended",
    "Arg",
    "Beat",
    "Begun",
    "Call",
    "CalledOff",
    "Changed",
    "Claim",
    "Claimed",
    "Committed",
    "Comparison",
    "Counter",
    "HandBack",
    "Heard",
    "Held",
    "Limits",
    "Lines",
    "Outcome",
    "Reconciled",
    "Submission",
    "Submitted",
    "Told",
    "append",
    "begin",
    "call_off",
    "cancel",
    "claim",
    "compare",
    "enroll",
    "finish",
    "forget",
    "glance",
    "hand_back",
    "heartbeat",
    "line_id",
    "line_of",
    "lines_of",
    "listen",
    "listen_all",
    "new_batch_id",
    "pairs",
    "pause",
    "promote",
    "reconcile",
    "recorded",
    "register",
    "report",
    "resume",
    "retry",
    "start",
    "submit",
    "survey",
    "take_back",
    "text",
    "tick",
]
