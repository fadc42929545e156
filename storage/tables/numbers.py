"""Human numbers, given out and in advance, and the records that were pruned."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text

from storage.tables.schema import blob, metadata, whole, words

__all__ = ["handed_numbers", "numbers", "pruned"]

numbers = Table(
    "numbers",
    metadata,
    Column("prefix", Text, primary_key=True),
    whole("last"),
    CheckConstraint("last >= 1", name="last"),
    sqlite_strict=True,
)

handed_numbers = Table(
    "handed_numbers",
    metadata,
    Column("number", Text, primary_key=True),
    words("prefix"),
    words("user_id"),
    whole("at"),
    sqlite_strict=True,
)
Index("ix_handed_numbers_user_id_prefix", handed_numbers.c.user_id, handed_numbers.c.prefix)

pruned = Table(
    "pruned",
    metadata,
    Column("record_id", Text, primary_key=True),
    words("number"),
    words("profile"),
    whole("version"),
    blob("hash"),
    whole("at"),
    words("by"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)
Index("uq_pruned_number", pruned.c.number, unique=True, sqlite_where=pruned.c.number != "")
