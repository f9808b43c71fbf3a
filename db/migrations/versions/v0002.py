"""The end of what a trial wrote stays with its record."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from tunewright.db.migrations import steps
from tunewright.db.migrations.versions.v0001 import MYSQL, ROW_ID

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    steps.create_table(
        "outputs",
        sa.Column("trial_id", ROW_ID, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.String(length=8), nullable=False),
        sa.Column(
            "tail",
            sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["trials.id"],
            name=op.f("fk_outputs_trial_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("trial_id", "attempt", "stream", name=op.f("pk_outputs")),
        **MYSQL,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("outputs")
