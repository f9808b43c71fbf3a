"""Trials that were ended before they began are counted apart."""

import sqlalchemy as sa
from alembic import op
from tunewright.db.migrations import steps

revision = "0007"
down_revision = "0006"

_COUNT = """UPDATE experiments SET trials_unbegun = (
    SELECT COUNT(*) FROM trials
    WHERE trials.experiment_id = experiments.id AND trials.state = 'Killed' AND trials.attempt = 0
)"""


def upgrade() -> None:
    steps.add_column(
        "experiments",
        sa.Column("trials_unbegun", sa.Integer(), nullable=False, server_default="0"),
    )
    op.execute(_COUNT)
    op.execute("UPDATE experiments SET trials_killed = trials_killed - trials_unbegun")


def downgrade() -> None:
    op.execute("UPDATE experiments SET trials_killed = trials_killed + trials_unbegun")
    op.drop_column("experiments", "trials_unbegun")
