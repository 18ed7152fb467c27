"""Scores, their arrays, and cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_DIGEST = sa.String(64)


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "cards",
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("card", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_cards"),
    )
    op.create_table(
        "arrays",
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_arrays"),
    )
    op.create_table(
        "scores",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=True),
        *(sa.Column(name, _DIGEST, nullable=False) for name in ("key", "state")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("model", "benchmark")),
        sa.Column("layers", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("source", "convention")),
        sa.Column("status", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Double) for name in ("value", "raw", "ceiling", "low", "high", "seconds")),
        sa.Column("memory", sa.BigInteger),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("record_digest", _DIGEST, nullable=False),
        *(sa.Column(name, _DIGEST) for name in ("arrays", "model_card", "benchmark_card")),
        sa.Column("checksum", _DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scores"),
        sa.ForeignKeyConstraint(["arrays"], ["arrays.digest"], name="fk_scores_arrays_arrays"),
        sa.ForeignKeyConstraint(["model_card"], ["cards.digest"], name="fk_scores_model_card_cards"),
        sa.ForeignKeyConstraint(["benchmark_card"], ["cards.digest"], name="fk_scores_benchmark_card_cards"),
        sa.UniqueConstraint("key", "state", "source", "status", name="uq_scores_key_state_source_status"),
        sa.CheckConstraint("status IN ('scored', 'not_applicable', 'failed')", name="ck_scores_status"),
    )
    op.create_index("ix_scores_model_benchmark_layers_id", "scores", ["model", "benchmark", "layers", "id"])
    op.create_index("ix_scores_benchmark_id", "scores", ["benchmark", "id"])
