"""One suite, both databases: `store` is an empty record of each engine in turn."""

from tests.store.records import other, record_url, session_record, store

__all__ = ["other", "record_url", "session_record", "store"]
