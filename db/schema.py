"""The tables.

Keys carry the namespace through the experiment's row. Times are seconds since
the epoch. A float column that may hold NaN or infinity goes through `encode`:
no database of the three keeps both.
"""

import math
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.functions import FunctionElement

from ..api.observation import TextValue

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)


def _table(name: str, *columns: SchemaItem, **options: Any) -> Table:
    """Make a table; on MySQL every character has a place, and case counts, as elsewhere."""
    return Table(
        name,
        metadata,
        *columns,
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
        **options,
    )


# SQLite counts rows by itself only for its own INTEGER; MySQL's TEXT and BLOB end below 64 KiB.
RowId = BigInteger().with_variant(Integer, "sqlite")
Bytes = LargeBinary().with_variant(mysql.MEDIUMBLOB, "mysql", "mariadb")
Document = Text().with_variant(mysql.LONGTEXT, "mysql", "mariadb")


class database_time(FunctionElement[float]):  # noqa: N801 - as functions of SQL are written
    """Seconds since the epoch by the database's clock: the one that all its writers share."""

    type = Double()
    inherit_cache = True


_CLOCKS = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
    "mysql": "(unix_timestamp(sysdate(6)) + 0e0)",
}


@compiles(database_time)
def _clock(_element: object, compiler: Any, **_given: object) -> str:
    return _CLOCKS[compiler.dialect.name]


_LARGEST = 1.7976931348623157e308


def encode(value: float | None) -> float | None:
    """Write a float: NaN as NULL, the infinities as the largest floats, so that SQL sorts them."""
    if value is None or math.isnan(value):
        return None
    return max(-_LARGEST, min(_LARGEST, value))


def decode(value: float | None, text: str | None = None) -> float:
    """Read what `encode` wrote, and the text that stood in the number's place."""
    if text is not None:
        return TextValue(text)
    if value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _LARGEST else float(value)


experiments = _table(
    "experiments",
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("uid", String(64), nullable=False, unique=True),
    Column("namespace", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("document", Document, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("message", Document, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("workdir", Text, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("active_seconds", Double, nullable=False),
    # Totals, written in the transaction that changes a trial.
    Column("position", Integer, nullable=False),
    Column("proposed", Integer, nullable=False),
    Column("observed", Integer, nullable=False),
    Column("since_improvement", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("trials_created", Integer, nullable=False),
    Column("trials_running", Integer, nullable=False),
    Column("trials_succeeded", Integer, nullable=False),
    Column("trials_metrics_unavailable", Integer, nullable=False),
    Column("trials_early_stopped", Integer, nullable=False),
    Column("trials_failed", Integer, nullable=False),
    Column("trials_killed", Integer, nullable=False),
    # When the row was written last: what a list that is watched asks for.
    Column("touched_at", Double, default=database_time(), onupdate=database_time(), index=True),
    # Trials that ended before they had an attempt: no other total counts them.
    Column("trials_unbegun", Integer, nullable=False, server_default="0"),
    UniqueConstraint("namespace", "name"),
    Index(None, "created_at"),
    # A key is never used again: another process may still remember the deleted one.
    sqlite_autoincrement=True,
)

_EXPERIMENT = "experiments.id"
_TRIAL = "trials.id"

# The labels of the documents that Kubernetes would take, to be searched.
labels = _table(
    "labels",
    Column("experiment_id", RowId, ForeignKey(_EXPERIMENT, ondelete="CASCADE"), primary_key=True),
    Column("name", String(317), primary_key=True),
    Column("value", String(63), nullable=False),
    Index(None, "name", "value"),
    sqlite_with_rowid=False,
)

# Deleted experiments, for a while: who watches them hears of it.
removed = _table(
    "removed",
    Column("uid", String(64), primary_key=True),
    Column("namespace", String(63), nullable=False),
    Column("removed_at", Double, default=database_time(), index=True),
)

trials = _table(
    "trials",
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("experiment_id", RowId, ForeignKey(_EXPERIMENT, ondelete="CASCADE"), nullable=False),
    Column("idx", Integer, nullable=False),
    Column("name", String(255), nullable=False, index=True),
    Column("state", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("message", Document, nullable=False),
    Column("proposal", Document, nullable=False),
    Column("made_from", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("attempt", Integer, nullable=False),  # the last one; 0 before the first
    Column("retries", Integer, nullable=False),
    Column("retry_at", Double),
    Column("observed", Boolean, nullable=False),
    Column("verdict", String(16)),
    Column("value", Double),  # encoded; NaN when observed and NULL
    Column("deviation", Double),  # of the value, where the point ran several times
    Column("loss", Double),  # what `best` sorts by: smaller is better, NULL is out
    Column("dropped", Boolean, nullable=False),
    Column("text", Document),  # in place of the value
    UniqueConstraint("experiment_id", "idx"),
    Index(None, "experiment_id", "state", "idx"),
    Index(None, "experiment_id", "loss", "idx"),  # many may have the same
)

attempts = _table(
    "attempts",
    Column("trial_id", RowId, ForeignKey(_TRIAL, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("token", String(64), nullable=False),
    Column("pid", Integer),
    Column("pid_started_at", Double),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("exit_code", Integer),
    Column("reason", String(64), nullable=False),
    Column("message", Document, nullable=False),
    Column("wall_seconds", Double, nullable=False),
    Column("cpu_seconds", Double, nullable=False),
    Column("peak_memory_bytes", BigInteger, nullable=False),
    Column("device_seconds", Double, nullable=False),
)

# The end of what the primary container wrote, for when its files are gone.
outputs = _table(
    "outputs",
    Column("trial_id", RowId, ForeignKey(_TRIAL, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("stream", String(8), primary_key=True),  # stdout | stderr
    Column("tail", Bytes, nullable=False),
    sqlite_with_rowid=False,
)

log = _table(
    "log",
    Column("experiment_id", RowId, ForeignKey(_EXPERIMENT, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),  # proposed | finished | dropped
    Column("idx", Integer, nullable=False),
    Column("metrics", Document, nullable=False),  # of a finished trial: further values, as JSON
    sqlite_with_rowid=False,
)

# Names of metrics and sources, so that an observation is a row of numbers.
names = _table(
    "names",
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("text", String(255), nullable=False, unique=True),
)

# In this order a trial's log of one metric lies together, by time. No foreign key: checking
# it costs PostgreSQL more than the row; `delete_experiment` removes a log by itself.
observations = _table(
    "observations",
    Column("trial_id", RowId, primary_key=True, autoincrement=False),
    Column("metric_id", RowId, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("time", Double, primary_key=True),
    Column("source_id", RowId, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double),  # encoded
    Column("step", BigInteger),
    Column("late", SmallInteger, nullable=False),  # came when the trial had ended
    sqlite_with_rowid=False,
)

# How far each reporter came: what makes a repeated batch change nothing. The columns behind
# hold what a reporter said of itself; most say nothing.
sources = _table(
    "sources",
    Column("trial_id", RowId, ForeignKey(_TRIAL, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("source_id", RowId, primary_key=True, autoincrement=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("heard_at", Double),
    Column("seen", Document),  # names of metrics, as JSON
    Column("dropped", BigInteger),
    Column("done", Boolean),
    sqlite_with_rowid=False,
)

summaries = _table(
    "summaries",
    Column("trial_id", RowId, ForeignKey(_TRIAL, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("metric_id", RowId, primary_key=True, autoincrement=False),
    Column("min", Double),  # encoded, as the next two
    Column("max", Double),
    Column("latest", Double),
    Column("count", BigInteger, nullable=False),
    Column("sum", Double),
    Column("latest_time", Double, nullable=False),
    Column("min_step", BigInteger),
    Column("max_step", BigInteger),
    Column("latest_step", BigInteger),
    Column("numbers", BigInteger, nullable=False),
    Column("latest_text", Document),  # in place of `latest`
    sqlite_with_rowid=False,
)

# The running average of the objective after each of its reports; only with early stopping.
curves = _table(
    "curves",
    Column("trial_id", RowId, ForeignKey(_TRIAL, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("report", Integer, primary_key=True, autoincrement=False),
    Column("mean", Double),  # encoded
    sqlite_with_rowid=False,
)

stops = _table(
    "stops",
    Column("trial_id", RowId, ForeignKey(_TRIAL, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("reason", Document, nullable=False),
    Column("decided_at", Double, nullable=False),
    Column("answered", Boolean, nullable=False, index=True),
)

wishes = _table(
    "wishes",
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("experiment_id", RowId, ForeignKey(_EXPERIMENT, ondelete="CASCADE"), nullable=False),
    Column("verb", String(32), nullable=False),
    Column("arguments", Document, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("answered", Boolean, nullable=False),
    Index(None, "experiment_id", "answered"),
)

events = _table(
    "events",
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("experiment_id", RowId, ForeignKey(_EXPERIMENT, ondelete="CASCADE"), nullable=False),
    Column("at", Double, nullable=False),
    Column("idx", Integer),
    Column("kind", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("message", Document, nullable=False),
    Index(None, "experiment_id", "at"),
)

# The code that the trials run which start at `at` or later, until the next row's.
provenance = _table(
    "provenance",
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column(
        "experiment_id",
        RowId,
        ForeignKey(_EXPERIMENT, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("at", Double, nullable=False),
    Column("commit_id", String(64), nullable=False),
    Column("changed", Boolean, nullable=False),
    Column("script", Text, nullable=False),
    Column("digest", String(64), nullable=False),
)

# A device is held once for each of its shares.
leases = _table(
    "leases",
    Column("device", String(128), primary_key=True),
    Column("share", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(128), nullable=False, index=True),
    Column("leased_at", Double, nullable=False),
)
