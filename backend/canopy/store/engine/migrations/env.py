"""Alembic's entry point. The connection and its transaction are the store's; logging is left alone."""

from alembic import context

from canopy.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
