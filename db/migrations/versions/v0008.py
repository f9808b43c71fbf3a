"""A text that stands in place of a number is kept."""

import sqlalchemy as sa
from alembic import op
from tunewright.db.migrations import steps
from tunewright.db.migrations.versions.v0001 import DOCUMENT

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    steps.add_column("trials", sa.Column("text", DOCUMENT, nullable=True))
    steps.add_column("summaries", sa.Column("latest_text", DOCUMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("summaries", "latest_text")
    op.drop_column("trials", "text")
