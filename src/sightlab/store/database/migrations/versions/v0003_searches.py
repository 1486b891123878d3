"""Searches that several drivers share: what each is, who drives it, and what has happened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "searches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_searches"),
    )
    op.create_table(
        "search_drivers",
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("heartbeat", TIME, nullable=False),
        sa.PrimaryKeyConstraint("search", "driver", name="pk_search_drivers"),
        sa.ForeignKeyConstraint(["search"], ["searches.name"], name="fk_search_drivers_searches", ondelete="CASCADE"),
    )
    op.create_table(
        "search_events",
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("search", "number", name="pk_search_events"),
        sa.ForeignKeyConstraint(["search"], ["searches.name"], name="fk_search_events_searches", ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Take the tables away."""
    for table in ("search_events", "search_drivers", "searches"):
        op.drop_table(table)
