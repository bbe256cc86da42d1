"""Workflows: what people were told.

The workflows' own state is Temporal's; the state that people read is in the records. A notification is
written once for each step of a workflow, however often the activity that writes it is tried.
"""

from alembic import op

revision = "0004_workflow"
down_revision = "0003_access"
branch_labels = None
depends_on = None

SQL = """
-- A critical value whose result is taken back before anybody acknowledged it ends withdrawn.
ALTER TABLE records.critical_value
  ADD COLUMN withdrawn_at timestamptz,
  DROP CONSTRAINT critical_value_state_check,
  ADD CONSTRAINT critical_value_state_check
    CHECK (state IN ('open', 'notified', 'escalated', 'acknowledged', 'withdrawn'));
DROP INDEX records.critical_value_open;
CREATE INDEX critical_value_open ON records.critical_value (facility, opened_at)
  WHERE state IN ('open', 'notified', 'escalated');

CREATE SCHEMA workflow;

CREATE TABLE workflow.notification (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workflow_id text NOT NULL,
  step        text NOT NULL,                    -- told:0, told:1, withdrawn:0 …
  channel     text NOT NULL DEFAULT 'in_app',   -- SMS and mail come as adapters
  subject     text NOT NULL,                    -- critical_value, critical_value_withdrawn …
  subject_id  uuid NOT NULL,                    -- a reference: what is shown is read under access control
  facility    text NOT NULL,
  duty        text NOT NULL,                    -- ordering_doctor, department, medical_affairs
  recipient   text,                             -- staff or department number; NULL: whoever has the duty
  level       smallint NOT NULL DEFAULT 0,      -- escalation level
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  read_at     timestamptz,
  read_by     text,
  UNIQUE (workflow_id, step)
);
CREATE INDEX notification_unread ON workflow.notification (facility, duty, recipient, created_at)
  WHERE read_at IS NULL;
CREATE INDEX notification_subject ON workflow.notification (subject_id);
"""

UNDO = """
DROP SCHEMA workflow CASCADE;
UPDATE records.critical_value SET state = 'notified' WHERE state = 'withdrawn';
DROP INDEX records.critical_value_open;
CREATE INDEX critical_value_open ON records.critical_value (facility, opened_at)
  WHERE state <> 'acknowledged';
ALTER TABLE records.critical_value
  DROP COLUMN withdrawn_at,
  DROP CONSTRAINT critical_value_state_check,
  ADD CONSTRAINT critical_value_state_check
    CHECK (state IN ('open', 'notified', 'escalated', 'acknowledged'));
"""


def upgrade() -> None:
    """Create the workflow schema."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it; what was withdrawn counts as open again."""
    op.execute(UNDO)
