"""Changes that decide a conflict say why."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("ALTER TABLE changes ADD COLUMN reason TEXT DEFAULT '' NOT NULL")
