"""Alembic's entry: it works on the connection, and in the transaction, that `millpond.store.upgrade` hands over."""

from alembic import context

# Both engines undo table changes with their transaction, SQLite too once the driver no longer begins transactions itself.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
