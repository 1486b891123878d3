"""What makes a run the training that it is, with its seed and without it; metrics of an epoch. Null in older runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns. `sightlab runs rebuild` fills them from the run folders."""
    op.add_column("runs", sa.Column("identity", sa.Text()))
    op.add_column("runs", sa.Column("identity_but_seed", sa.Text()))
    op.create_index("ix_runs_identity", "runs", ["identity"])
    op.add_column("epochs", sa.Column("metrics", sa.JSON()))


def downgrade() -> None:
    """Take the columns away."""
    op.drop_column("epochs", "metrics")
    op.drop_index("ix_runs_identity", "runs")
    op.drop_column("runs", "identity_but_seed")
    op.drop_column("runs", "identity")
