"""What a list of experiments asks for: when each was written last, labels, what was deleted."""

import json

import sqlalchemy as sa
from alembic import op
from tunewright.api.remarks import is_label, labels_of
from tunewright.db.migrations import steps
from tunewright.db.migrations.versions.v0001 import MYSQL, ROW_ID

revision = "0006"
down_revision = "0005"

_LABELS = sa.table("labels", *map(sa.column, ("experiment_id", "name", "value")))


def upgrade() -> None:
    steps.add_column("experiments", sa.Column("touched_at", sa.Double(), nullable=True))
    op.execute("UPDATE experiments SET touched_at = created_at")
    steps.create_index("ix_experiments_touched_at", "experiments", ["touched_at"])
    steps.create_index("ix_experiments_created_at", "experiments", ["created_at"])
    steps.create_table(
        "labels",
        sa.Column("experiment_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=317), nullable=False),
        sa.Column("value", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("fk_labels_experiment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_id", "name", name=op.f("pk_labels")),
        sqlite_with_rowid=False,
        **MYSQL,
    )
    steps.create_index("ix_labels_name_value", "labels", ["name", "value"])
    steps.create_table(
        "removed",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("removed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_removed")),
        **MYSQL,
    )
    steps.create_index("ix_removed_removed_at", "removed", ["removed_at"])
    _write_labels()


def _write_labels() -> None:
    rows = op.get_bind().execute(sa.text("SELECT id, document FROM experiments"))
    found = [
        {"experiment_id": key, "name": name, "value": value}
        for key, document in rows
        for name, value in labels_of(json.loads(document)).items()
        if is_label(name, value)
    ]
    if found:
        op.bulk_insert(_LABELS, found)


def downgrade() -> None:
    op.drop_table("removed")
    op.drop_table("labels")
    op.drop_index(op.f("ix_experiments_created_at"), "experiments")
    op.drop_index(op.f("ix_experiments_touched_at"), "experiments")
    op.drop_column("experiments", "touched_at")
