"""Which code the trials of an experiment ran."""

import sqlalchemy as sa
from alembic import op
from tunewright.db.migrations import steps
from tunewright.db.migrations.versions.v0001 import MYSQL, ROW_ID

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    steps.create_table(
        "provenance",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("experiment_id", ROW_ID, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("script", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("fk_provenance_experiment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provenance")),
        **MYSQL,
    )
    steps.create_index("ix_provenance_experiment_id", "provenance", ["experiment_id"])


def downgrade() -> None:
    op.drop_table("provenance")
