"""Runs the migrations on the connection that `store.database` gives."""

from __future__ import annotations

from alembic import context

from brainmark.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
