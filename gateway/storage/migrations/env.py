"""Run by Alembic for every migration, on the connection `gateway.storage.migrations` hands over."""

from alembic import context

from gateway.storage.columns import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
