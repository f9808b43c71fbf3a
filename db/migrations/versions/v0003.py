"""The deviation of a point that ran several times."""

import sqlalchemy as sa
from alembic import op
from tunewright.db.migrations import steps

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    steps.add_column("trials", sa.Column("deviation", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("trials", "deviation")
