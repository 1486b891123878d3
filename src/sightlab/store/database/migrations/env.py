"""What Alembic runs: the steps, on the connection it is handed, within that connection's transaction."""

from __future__ import annotations

from alembic import context

from sightlab.store.database.orm_tables import metadata


def migrate() -> None:
    """Take the steps that are missing. DDL is transactional on SQLite too, as connections are opened here."""
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic loads this file
    migrate()
