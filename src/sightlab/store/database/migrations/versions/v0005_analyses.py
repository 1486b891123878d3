"""The figures of a run's analyses, by analysis and name. Null where none was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column. `sightlab runs rebuild` fills it from the run folders."""
    op.add_column("runs", sa.Column("analyses", sa.JSON()))


def downgrade() -> None:
    """Take the column away."""
    op.drop_column("runs", "analyses")
