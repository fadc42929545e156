"""Bringing a database to the schema of this program: forward only, each step in a transaction.

Alembic costs 0.7 s to import, so it is imported only when there is something to do.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from storage.errors import StoreIncompatible

__all__ = ["REVISIONS", "migrate", "require_current"]

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
)
"""All revisions in order; a test holds this against the modules in `versions`."""

_REVISION = text("SELECT version_num FROM alembic_version")


def _revision(connection: Connection) -> str | None:
    """The revision the database stands at, None when it is empty."""
    names = inspect(connection).get_table_names()
    if "alembic_version" not in names:
        if names:
            raise StoreIncompatible("the file holds tables of another program")
        return None
    revision: str | None = connection.execute(_REVISION).scalar_one_or_none()
    if revision is not None and revision not in REVISIONS:
        raise StoreIncompatible("its schema is newer than this program")
    return revision


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision, or do nothing. `engine` is the writer's (BEGIN IMMEDIATE).

    Two processes that open an empty file at once wait for each other and migrate once.
    Raises StoreIncompatible, and what the driver raises.
    """
    with engine.begin() as connection:
        if _revision(connection) == REVISIONS[-1]:
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_current(engine: Engine) -> None:
    """Raises StoreIncompatible unless the schema is this program's; changes nothing."""
    with engine.connect() as connection:
        if _revision(connection) != REVISIONS[-1]:
            raise StoreIncompatible("its schema is older than this program; start the server once")
