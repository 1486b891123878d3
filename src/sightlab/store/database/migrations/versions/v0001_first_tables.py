"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    make_runs()
    op.create_table(
        "studies",
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("created", TIME),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("home", "name", name="pk_studies"),
    )
    of_a_run(
        "epochs",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("train_loss", sa.Double()),
        sa.Column("train_accuracy", sa.Double()),
        sa.Column("validation_loss", sa.Double()),
        sa.Column("validation_accuracy", sa.Double()),
        sa.Column("lr", sa.Double()),
        sa.Column("seconds", sa.Double()),
        sa.Column("images_per_second", sa.Double()),
        sa.Column("best", sa.Boolean()),
    )
    of_a_run(
        "openings",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", TIME),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    of_a_run("tags", sa.Column("tag", sa.Text(), nullable=False))
    of_a_run(
        "notes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", TIME),
        sa.Column("text", sa.Text(), nullable=False),
    )
    of_a_run(
        "study_runs",
        sa.Column("study", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["home", "study"], ["studies.home", "studies.name"], name="fk_study_runs_studies", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_study_runs_study", "study_runs", ["home", "study"])


def make_runs() -> None:
    """Make the table that all others hang on."""
    op.create_table(
        "runs",
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("recipe_hash", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger()),
        sa.Column("parameters", sa.BigInteger()),
        sa.Column("flops", sa.BigInteger()),
        sa.Column("data", sa.Text()),
        sa.Column("data_key", sa.Text()),
        sa.Column("train_images", sa.Integer()),
        sa.Column("validation_images", sa.Integer()),
        sa.Column("test_images", sa.Integer()),
        sa.Column("planned_epochs", sa.Integer()),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("best_epoch", sa.Integer()),
        sa.Column("validation_accuracy", sa.Double()),
        sa.Column("validation_loss", sa.Double()),
        sa.Column("test_accuracy", sa.Double()),
        sa.Column("test_low", sa.Double()),
        sa.Column("test_high", sa.Double()),
        sa.Column("test_loss", sa.Double()),
        sa.Column("test_top5", sa.Double()),
        sa.Column("test_count", sa.Integer()),
        sa.Column("test_correct", sa.Integer()),
        sa.Column("test_flips", sa.JSON()),
        sa.Column("test_key", sa.Text()),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double()),
        sa.Column("images_per_second", sa.Double()),
        sa.Column("started", TIME),
        sa.Column("ended", TIME),
        sa.Column("heartbeat", TIME),
        sa.Column("host", sa.Text()),
        sa.Column("process", sa.JSON()),
        sa.Column("device", sa.Text()),
        sa.Column("cpu", sa.Text()),
        sa.Column("system", sa.Text()),
        sa.Column("machine", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("git_revision", sa.Text()),
        sa.Column("git_dirty", sa.Boolean()),
        sa.Column("binned_at", TIME),
        sa.PrimaryKeyConstraint("home", "id", name="pk_runs"),
    )
    op.create_index("ix_runs_started", "runs", ["started"])
    op.create_index("ix_runs_status", "runs", ["status"])


def of_a_run(name: str, *columns: sa.Column[Any] | sa.ForeignKeyConstraint) -> None:
    """Make a table whose rows go with their run. Its first own column tells the rows of one run apart."""
    op.create_table(
        name,
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["home", "run"], ["runs.home", "runs.id"], name=f"fk_{name}_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("home", "run", str(columns[0].name), name=f"pk_{name}"),
    )


def downgrade() -> None:
    """Take the tables away; the run folders keep what was in them."""
    for table in ("tags", "study_runs", "openings", "notes", "epochs", "studies", "runs"):
        op.drop_table(table)
