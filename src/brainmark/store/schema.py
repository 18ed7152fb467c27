"""The tables of the store. A change of them needs a migration in ``migrations/versions``, which a test demands.

Rows are only ever added. ``scores`` holds every outcome that was computed or imported, so that the latest row of a
model and a benchmark is their present score, and the rows before it are its history. Units and draws are netCDF files
in ``arrays``, and what was known of a model or a benchmark at that time is a card in ``cards``; both are named by the
sha256 of their content, and are there once. Only ``claims``, which say who computes what just now, come and go.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

STATUSES = ("scored", "not_applicable", "failed")
"""What a row can be; a pair of a model and a benchmark without a row was never run."""
MEASURED = "measured"
"""The source of scores that were computed here."""

_DIGEST = String(64)  # sha256, hexadecimal
_NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
          "ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s",
          "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s"}  # fmt: skip

metadata = MetaData(naming_convention=_NAMES)

cards = Table(
    "cards",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("card", Text, nullable=False),  # JSON
)

arrays = Table(
    "arrays",
    metadata,
    Column("digest", _DIGEST, primary_key=True),
    Column("content", LargeBinary, nullable=False),  # netCDF: raw value and ceiling of each unit, draws
)

scores = Table(
    "scores",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("key", _DIGEST, nullable=False),  # of model, benchmark and layers
    Column("state", _DIGEST, nullable=False),  # of all that the outcome depends on
    Column("model", Text, nullable=False),
    Column("benchmark", Text, nullable=False),
    Column("layers", String(16), nullable=False),
    Column("source", Text, nullable=False),  # 'measured', or where an imported score was published
    Column("convention", Text, nullable=False),  # how units are put together; '' is the convention of Brainmark
    Column("status", String(16), nullable=False),
    Column("value", Double),
    Column("raw", Double),
    Column("ceiling", Double),
    Column("low", Double),
    Column("high", Double),
    Column("seconds", Double),
    Column("memory", BigInteger),  # bytes, the peak of the process
    Column("created", String(32), nullable=False),  # UTC, ISO 8601
    Column("record", Text, nullable=False),  # JSON: the outcome and what it depends on
    Column("record_digest", _DIGEST, nullable=False),
    Column("arrays", _DIGEST, ForeignKey("arrays.digest")),
    Column("model_card", _DIGEST, ForeignKey("cards.digest")),
    Column("benchmark_card", _DIGEST, ForeignKey("cards.digest")),
    Column("checksum", _DIGEST, nullable=False),  # sha256 over all other columns but id and record
    UniqueConstraint("key", "state", "source", "status"),
    CheckConstraint("status IN ('scored', 'not_applicable', 'failed')", name="status"),
    Index(None, "model", "benchmark", "layers", "id"),
    Index(None, "benchmark", "id"),
)

claims = Table(
    "claims",
    metadata,
    Column("key", _DIGEST, primary_key=True),
    Column("state", _DIGEST, primary_key=True),
    Column("holder", String(32), nullable=False, index=True),  # the run that works on it
    Column("place", Text, nullable=False),  # where it runs, and
    Column("process", BigInteger, nullable=False),  # the number of its process there
    Column("beats", BigInteger, nullable=False),  # counted up as long as it lives
)
