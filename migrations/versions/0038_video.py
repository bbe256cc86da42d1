"""Video: who is booked into which consultation's room, when, who was let in, and who was there.

The room's name is the consultation's id; the video server knows people by their participant's id alone.
"""

from alembic import op

revision = "0038_video"
down_revision = "0037_notifications"
branch_labels = None
depends_on = None

SQL = """
CREATE SCHEMA IF NOT EXISTS teleconsult;

CREATE TABLE teleconsult.session (
  consultation_id uuid PRIMARY KEY,
  organisation    text NOT NULL,                 -- campus that holds it; its coordinators look after the room
  patient         uuid,                          -- golden person it is about, for the audit
  opens_at        timestamptz NOT NULL,
  closes_at       timestamptz NOT NULL,
  ended_at        timestamptz,                   -- for good: a person ended it, or its time was over
  ended_by        text,                          -- NULL: its time was over
  room_closed_at  timestamptz,                   -- the video server was told
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (closes_at > opens_at)
);
CREATE INDEX session_to_close ON teleconsult.session (closes_at) WHERE room_closed_at IS NULL;

CREATE TABLE teleconsult.participant (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  consultation_id uuid NOT NULL REFERENCES teleconsult.session,
  role            text NOT NULL CHECK (role IN ('host', 'expert', 'clinician', 'patient', 'family')),
  username        text,                          -- account; NULL: comes by a link
  shown_as        text NOT NULL,                 -- what the others read; never told to the video server
  opens_at        timestamptz,                   -- a window of their own within the session's
  closes_at       timestamptz,
  waiting_since   timestamptz,
  waiting_seen    timestamptz,                   -- asked last; who stopped asking waits no more
  admitted_at     timestamptz,
  admitted_by     text,
  removed_at      timestamptz,
  removed_by      text,
  UNIQUE (consultation_id, username)
);
CREATE INDEX participant_session ON teleconsult.participant (consultation_id);

CREATE TABLE teleconsult.invitation (
  id             uuid PRIMARY KEY,
  participant_id uuid NOT NULL REFERENCES teleconsult.participant,
  expires_at     timestamptz NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by     text NOT NULL,
  device         bytea,                          -- hash of the key of the browser that opened it first
  opened_at      timestamptz,
  revoked_at     timestamptz,
  revoked_by     text
);
CREATE INDEX invitation_participant ON teleconsult.invitation (participant_id);

-- What the video server told, once: its events come at least once and in any order.
CREATE TABLE teleconsult.webhook_event (
  id              text PRIMARY KEY,
  consultation_id uuid REFERENCES teleconsult.session,  -- NULL: about no room of ours
  kind            text NOT NULL,
  at              timestamptz NOT NULL,                 -- by the video server's clock
  received_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX webhook_event_session ON teleconsult.webhook_event (consultation_id, at);

-- One row for each connection; a person's presence is these merged.
CREATE TABLE teleconsult.attendance (
  connection      text PRIMARY KEY,              -- the video server's id of it
  participant_id  uuid NOT NULL REFERENCES teleconsult.participant,
  joined_at       timestamptz NOT NULL,
  left_at         timestamptz
);
CREATE INDEX attendance_participant ON teleconsult.attendance (participant_id, joined_at);
"""

UNDO = """
DROP TABLE teleconsult.attendance, teleconsult.webhook_event, teleconsult.invitation, teleconsult.participant,
  teleconsult.session;
DROP SCHEMA teleconsult;
"""


def upgrade() -> None:
    """Create the tables of video."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them; who was there is forgotten."""
    op.execute(UNDO)
