"""Claims of runs on the jobs that they do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of claims."""
    op.create_table(
        "claims",
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("key", "state")),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("process", sa.BigInteger, nullable=False),
        sa.Column("beats", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", "state", name="pk_claims"),
    )
    op.create_index("ix_claims_holder", "claims", ["holder"])
