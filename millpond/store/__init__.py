"""The record: one row for each job and each attempt, in PostgreSQL or SQLite."""

from millpond.store.history import JobFilter
from millpond.store.loss import Loss, LossKind
from millpond.store.store import Store, open_store

__all__ = ["JobFilter", "Loss", "LossKind", "Store", "open_store"]
