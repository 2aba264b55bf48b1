"""One tree of errors; each has a stable snake_case `code`, the same word in HTTP answers, metric labels and logs."""

from typing import Any


class MillpondError(Exception):
    """Base of all errors of ours. `detail` is a full sentence for people; `data` goes into the HTTP answer."""

    code = "internal_error"
    status = 500

    def __init__(self, detail: str = "", *, code: str | None = None, **data: Any) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.data = data
        if code is not None:
            self.code = code


class BadInput(MillpondError):
    """The request cannot be read or does not hold. `faults`: [{"pointer": JSON Pointer, "code", "detail"}], all of them."""

    code = "malformed"
    status = 400

    def __init__(self, detail: str = "", *, code: str | None = None, faults: list[dict[str, str]] | None = None, **data: Any) -> None:
        super().__init__(detail, code=code, **data)
        self.faults = faults or []


class TooLarge(BadInput):
    """The body or payload has more bytes than the limit (RFC 9110 15.5.14)."""

    code = "too_large"
    status = 413


class Invalid(BadInput):
    """Well formed, but it breaks a rule (RFC 9110 15.5.21)."""

    code = "validation_failed"
    status = 422


class NotFound(MillpondError):
    """No such resource."""

    code = "not_found"
    status = 404


class Conflict(MillpondError):
    """The resource is in a state that does not allow the move (RFC 9110 15.5.10)."""

    code = "wrong_state"
    status = 409


class Unavailable(MillpondError):
    """Not done, and may be sent again: our capacity or a part of us is missing."""

    code = "unavailable"
    status = 503


class NotDone(Unavailable):
    """Redis was not reached, or said no before it did anything (rule 9)."""

    code = "redis_unavailable"


class RedisFull(NotDone):
    """Redis has no memory for what is new (maxmemory); what it holds goes on."""

    code = "redis_full"


class OutcomeUnknown(Unavailable):
    """The request was sent and no answer came: it may or may not have been done (rule 9)."""

    code = "outcome_unknown"


class NotReplicated(OutcomeUnknown):
    """Done, but fewer Redis replicas than MILLPOND_REPLICAS_ACK have it on disk: a failover might lose it."""

    code = "not_replicated"


class StoreUnavailable(Unavailable):
    """The database cannot be reached."""

    code = "database_unavailable"


class RowRefused(MillpondError):
    """The database refuses these values, whatever is tried (not a connection fault)."""

    code = "unrecordable_result"


class Undecodable(MillpondError):
    """A stored payload is not what the codec writes or RQ's JSON serializer writes."""

    code = "undecodable"


class BadSetting(MillpondError):
    """A setting is wrong; the message names it. Processes exit with status 2."""

    code = "bad_setting"
