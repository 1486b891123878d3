"""Two facts of an epoch that show mistakes: outputs that are dead, and the accuracy of the last batch alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("epochs", sa.Column("dead_outputs", sa.Integer()))
    op.add_column("epochs", sa.Column("last_batch_accuracy", sa.Double()))


def downgrade() -> None:
    """Take the columns away."""
    op.drop_column("epochs", "last_batch_accuracy")
    op.drop_column("epochs", "dead_outputs")
