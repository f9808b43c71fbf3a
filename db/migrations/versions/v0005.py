"""What reporters say of themselves; stops are found by whether they were answered."""

import sqlalchemy as sa
from alembic import op
from tunewright.db.migrations import steps
from tunewright.db.migrations.versions.v0001 import DOCUMENT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    steps.add_column("sources", sa.Column("heard_at", sa.Double(), nullable=True))
    steps.add_column("sources", sa.Column("seen", DOCUMENT, nullable=True))
    steps.add_column("sources", sa.Column("dropped", sa.BigInteger(), nullable=True))
    steps.add_column("sources", sa.Column("done", sa.Boolean(), nullable=True))
    steps.create_index("ix_stops_answered", "stops", ["answered"])


def downgrade() -> None:
    op.drop_index(op.f("ix_stops_answered"), "stops")
    for name in ("heard_at", "seen", "dropped", "done"):
        op.drop_column("sources", name)
