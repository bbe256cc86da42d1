"""Notifications beyond the in-app list: who is told by which channel, and what became of it.

`workflow.notification` stays what people read in the application, and is the request: one row for each step
and whom it is for. `workflow.dispatch` has a row for each person and outward channel that a request is spread
to. Neither holds an address: telephone numbers and mailboxes are read when it is sent.
"""

from alembic import op

revision = "0037_notifications"
down_revision = "0036_referral"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE workflow.notification
  DROP CONSTRAINT notification_workflow_id_step_key,
  DROP COLUMN channel,
  ADD COLUMN person_id  uuid,                            -- a golden person; duty is then 'patient'
  ADD COLUMN template   text,                            -- of rules/notifications; NULL: shown by its subject
  ADD COLUMN variables  jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN expires_at timestamptz,                     -- after it nobody is to be told any more
  ADD COLUMN spread_at  timestamptz,                     -- when its dispatches were made; NULL: not yet
  ADD CONSTRAINT notification_once
    UNIQUE NULLS NOT DISTINCT (workflow_id, step, facility, duty, recipient, person_id);
COMMENT ON COLUMN workflow.notification.recipient IS
  'duty staff: an account; other duties: the staff or department number it is narrowed to, NULL: none';
UPDATE workflow.notification SET spread_at = created_at;
CREATE INDEX notification_unspread ON workflow.notification (id) WHERE spread_at IS NULL;
CREATE INDEX notification_person ON workflow.notification (person_id, id) WHERE person_id IS NOT NULL;
CREATE INDEX notification_duty ON workflow.notification (facility, duty, id);
CREATE INDEX notification_staff ON workflow.notification (recipient, id) WHERE duty = 'staff';

-- How somebody is reached, and wants to be. Patients' telephone numbers are the golden record's.
CREATE TABLE workflow.contact (
  party       text PRIMARY KEY,                          -- staff:<account> or person:<uuid>
  phone       text,
  email       text,
  wechat      text,                                      -- openid
  language    text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
  channels    text[],                                    -- those wanted; NULL: every one
  quiet_from  time,
  quiet_until time,
  changed_by  text NOT NULL,
  changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);

-- Who has a duty at a campus, for all of it (code '') or for a department or staff number.
CREATE TABLE workflow.duty (
  facility text NOT NULL,
  duty     text NOT NULL CHECK (duty NOT IN ('staff', 'patient')),
  code     text NOT NULL DEFAULT '',
  username text NOT NULL,
  since    timestamptz NOT NULL DEFAULT clock_timestamp(),
  until    timestamptz,
  PRIMARY KEY (facility, duty, code, username)
);
CREATE INDEX duty_username ON workflow.duty (username);

CREATE TABLE workflow.dispatch (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  notification_id bigint NOT NULL REFERENCES workflow.notification,
  channel         text NOT NULL CHECK (channel IN ('sms', 'email', 'wechat')),
  party           text NOT NULL,                         -- whom: staff:, person:, or duty: that nobody has
  key             uuid NOT NULL DEFAULT gen_random_uuid(), -- idempotency key: the same in every attempt
  state           text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'in_flight', 'ambiguous', 'parked', 'delivered', 'discarded')),
  code            text,
  reason          text,
  attempts        int NOT NULL DEFAULT 0,
  refusals        int NOT NULL DEFAULT 0,
  unsure          boolean NOT NULL DEFAULT false,        -- an attempt had no answer: it may have arrived
  asked           int NOT NULL DEFAULT 0,                -- times that the port was asked whether it has it
  answer          bytea,                                 -- without the address
  reference       text,                                  -- the port's own number of it
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  not_before      timestamptz,
  expires_at      timestamptz,
  tried_at        timestamptz,                           -- first attempt
  sent_at         timestamptz,                           -- newest attempt
  answered_at     timestamptz,
  done_at         timestamptz,
  decided_by      text,
  decided_at      timestamptz,
  decided_why     text,
  UNIQUE (notification_id, party, channel),
  UNIQUE (key),
  CHECK ((done_at IS NOT NULL) = (state IN ('delivered', 'discarded')))
);
CREATE INDEX dispatch_open ON workflow.dispatch (channel, state, id) WHERE done_at IS NULL;
CREATE INDEX dispatch_party ON workflow.dispatch (party, channel, sent_at) WHERE sent_at IS NOT NULL;
"""

UNDO = """
DROP TABLE workflow.dispatch;
DROP TABLE workflow.duty;
DROP TABLE workflow.contact;
DELETE FROM workflow.notification n WHERE EXISTS (SELECT FROM workflow.notification e
  WHERE e.workflow_id = n.workflow_id AND e.step = n.step AND e.id < n.id);
ALTER TABLE workflow.notification
  DROP CONSTRAINT notification_once,
  DROP COLUMN person_id,
  DROP COLUMN template,
  DROP COLUMN variables,
  DROP COLUMN expires_at,
  DROP COLUMN spread_at,
  ADD COLUMN channel text NOT NULL DEFAULT 'in_app',
  ADD CONSTRAINT notification_workflow_id_step_key UNIQUE (workflow_id, step);
DROP INDEX workflow.notification_staff;
DROP INDEX workflow.notification_duty;
COMMENT ON COLUMN workflow.notification.recipient IS NULL;
"""


def upgrade() -> None:
    """Widen the request, and add contacts, duties and dispatches."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them; of a step that was told to several, the first stays."""
    op.execute(UNDO)
