"""Run by Alembic: migrate over the connection that `migrate` hands in."""

from alembic import context
from tunewright.db.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
