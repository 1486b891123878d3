"""The tables. Every row comes from files in a run's folder, and can be made again from it; shared searches cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

# The steps of migrations/versions, oldest first. A database that holds the last one is opened without Alembic.
REVISIONS = ("0001", "0002", "0003", "0004", "0005")


class UtcTime(TypeDecorator[datetime]):
    """An instant, in UTC: `timestamp with time zone` on PostgreSQL, sortable text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware times as UTC; SQLite's text has no zone."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


PLAIN = JSON(none_as_null=True)  # nested plain values
metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(referred_table_name)s"},
)


def of_a_run() -> tuple[Column[Any], Column[Any], ForeignKeyConstraint]:
    """What ties a row to its run; the row goes with it."""
    return (
        Column("home", Text, primary_key=True),
        Column("run", Text, primary_key=True),
        ForeignKeyConstraint(["home", "run"], ["runs.home", "runs.id"], ondelete="CASCADE"),
    )


# home: "." for the folder that the database lies in (so that it may be moved), else an absolute path. An id is unique
# within its home: in a database of several homes, six hex digits would meet again after some thousand runs.
runs = Table(
    "runs",
    metadata,
    Column("home", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("recipe", Text, nullable=False),
    Column("recipe_hash", Text, nullable=False),
    Column("identity", Text),
    Column("identity_but_seed", Text),
    Column("settings", PLAIN, nullable=False),
    Column("model", Text, nullable=False),
    Column("seed", BigInteger),
    Column("parameters", BigInteger),
    Column("flops", BigInteger),
    Column("data", Text),
    Column("data_key", Text),
    Column("train_images", Integer),
    Column("validation_images", Integer),
    Column("test_images", Integer),
    Column("planned_epochs", Integer),
    Column("epochs", Integer, nullable=False),
    Column("best_epoch", Integer),
    Column("validation_accuracy", Double),
    Column("validation_loss", Double),
    Column("test_accuracy", Double),
    Column("test_low", Double),
    Column("test_high", Double),
    Column("test_loss", Double),
    Column("test_top5", Double),
    Column("test_count", Integer),
    Column("test_correct", Integer),
    Column("test_flips", PLAIN),
    Column("test_key", Text),
    Column("openings", Integer, nullable=False),
    Column("seconds", Double),
    Column("images_per_second", Double),
    Column("started", UtcTime),
    Column("ended", UtcTime),
    Column("heartbeat", UtcTime),
    Column("host", Text),
    Column("process", PLAIN),
    Column("device", Text),
    Column("cpu", Text),
    Column("system", Text),
    Column("machine", PLAIN, nullable=False),
    Column("versions", PLAIN, nullable=False),
    Column("git_revision", Text),
    Column("git_dirty", Boolean),
    Column("binned_at", UtcTime),
    Column("analyses", PLAIN),
    Index("ix_runs_started", "started"),
    Index("ix_runs_status", "status"),
    Index("ix_runs_identity", "identity"),
)

epochs = Table(
    "epochs",
    metadata,
    *of_a_run(),
    Column("epoch", Integer, primary_key=True),
    Column("train_loss", Double),
    Column("train_accuracy", Double),
    Column("validation_loss", Double),
    Column("validation_accuracy", Double),
    Column("lr", Double),
    Column("seconds", Double),
    Column("images_per_second", Double),
    Column("best", Boolean),
    Column("dead_outputs", Integer),
    Column("last_batch_accuracy", Double),
    Column("metrics", PLAIN),
)

# number: from 1, in the order of the file.
openings = Table(
    "openings",
    metadata,
    *of_a_run(),
    Column("number", Integer, primary_key=True),
    Column("at", UtcTime),
    Column("split", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

tags = Table("tags", metadata, *of_a_run(), Column("tag", Text, primary_key=True))

notes = Table(
    "notes",
    metadata,
    *of_a_run(),
    Column("number", Integer, primary_key=True),
    Column("at", UtcTime),
    Column("text", Text, nullable=False),
)

studies = Table(
    "studies",
    metadata,
    Column("home", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("question", Text, nullable=False),
    Column("created", UtcTime),
    Column("facts", PLAIN, nullable=False),
)

study_runs = Table(
    "study_runs",
    metadata,
    *of_a_run(),
    Column("study", Text, primary_key=True),
    ForeignKeyConstraint(["home", "study"], ["studies.home", "studies.name"], ondelete="CASCADE"),
    Index("ix_study_runs_study", "home", "study"),
)

# What follows is kept here alone: a search that several drivers share has no folder of its own. plan, process and event
# are JSON as text, since they hold numbers that are none (a loss that has diverged), which a column of JSON refuses.
searches = Table("searches", metadata, Column("name", Text, primary_key=True), Column("plan", Text, nullable=False))

# heartbeat: by the server's clock, as machines' own differ.
search_drivers = Table(
    "search_drivers",
    metadata,
    Column("search", Text, primary_key=True),
    Column("driver", Text, primary_key=True),
    Column("process", Text, nullable=False),
    Column("heartbeat", UtcTime, nullable=False),
    ForeignKeyConstraint(["search"], ["searches.name"], ondelete="CASCADE"),
)

# number: from 1, without gaps, in the order in which the events count.
search_events = Table(
    "search_events",
    metadata,
    Column("search", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("driver", Text, nullable=False),
    Column("event", Text, nullable=False),
    ForeignKeyConstraint(["search"], ["searches.name"], ondelete="CASCADE"),
)
