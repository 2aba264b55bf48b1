"""Jobs and attempts. A migration is history: it spells its tables out and is never changed after a release."""

import sqlalchemy as sa
from alembic import op

from millpond.store.types import Id, JsonText, Moment, Tags

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_jobs()
    _create_attempts()
    op.create_index("jobs_by_age", "jobs", ["created_at", "id"])
    op.create_index("jobs_by_status", "jobs", ["status", "created_at", "id"])
    if op.get_context().dialect.name == "postgresql":
        op.create_index(
            "jobs_by_tag",
            "jobs",
            ["tags"],
            postgresql_using="gin",
            postgresql_ops={"tags": "jsonb_path_ops"},
            postgresql_where=sa.text("tags IS NOT NULL"),
        )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Id, primary_key=True),
        sa.Column("owner", sa.Text),
        sa.Column("task", sa.Text),
        sa.Column("queue", sa.Text),
        sa.Column("args", JsonText),
        sa.Column("kwargs", JsonText),
        sa.Column("tags", Tags),
        sa.Column("timeout_s", sa.Double),
        sa.Column("retry", JsonText),
        sa.Column("max_attempts", sa.Integer),
        sa.Column("rerun", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("error_traceback", sa.Text),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("deaths", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("result", JsonText),
        sa.Column("worker", sa.Text),
        sa.Column("progress", JsonText),
        sa.Column("enqueued_at", Moment),
        sa.Column("started_at", Moment),
        sa.Column("ended_at", Moment),
        sa.Column("run_at", Moment),
        sa.Column("expires_at", Moment),
        sa.Column("recorded_at", Moment),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("job_id", Id, primary_key=True),
        sa.Column("run", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("error_traceback", sa.Text),
        sa.Column("result", JsonText),
        sa.Column("worker", sa.Text),
        sa.Column("execution", sa.Text),
        sa.Column("started_at", Moment),
        sa.Column("ended_at", Moment),
        sa.Column("recorded_at", Moment, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("attempts")
    op.drop_table("jobs")
