"""What all tables are made of: their metadata, how constraints are named, columns."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, Text

__all__ = ["INT", "blob", "metadata", "of_record", "whole", "words"]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

INT = BigInteger().with_variant(Integer(), "sqlite")
"""STRICT tables know INTEGER only."""


def words(name: str) -> Column[str]:
    """Text."""
    return Column(name, Text, nullable=False)


def whole(name: str) -> Column[int]:
    """A whole number of 64 bits; instants are microseconds."""
    return Column(name, INT, nullable=False)


def blob(name: str) -> Column[bytes]:
    """Bytes."""
    return Column(name, LargeBinary, nullable=False)


def of_record() -> Column[str]:
    """The record that a row belongs to."""
    return Column("record_id", Text, ForeignKey("records.id"), nullable=False)
