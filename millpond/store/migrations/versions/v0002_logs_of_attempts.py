"""What an attempt said, beside how it ended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("log", sa.Text))


def downgrade() -> None:
    op.drop_column("attempts", "log")
