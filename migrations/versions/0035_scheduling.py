"""Scheduling: duties and who covers whom; calendars of experts, clinics, beds and rooms; their bookings.

That nothing is booked twice is an exclusion constraint: of a resource no two held or confirmed bookings
overlap. A hold that is over goes in the transaction that wants its time, or is swept. No table here has
patient data: a booking names the workflow that it is for.
"""

from alembic import op

revision = "0035_scheduling"
down_revision = "0033_vip"
branch_labels = None
depends_on = None

SQL = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE SCHEMA scheduling;

CREATE TABLE scheduling.duty_holder (
  organisation text NOT NULL,                  -- campus code, or GROUP
  duty         text NOT NULL,                  -- such as referral-review
  rank         int NOT NULL CHECK (rank >= 1), -- who is asked first
  username     text NOT NULL REFERENCES access.account (username),
  PRIMARY KEY (organisation, duty, rank),
  UNIQUE (organisation, duty, username)
);

CREATE TABLE scheduling.absence (
  id           uuid PRIMARY KEY,
  username     text NOT NULL REFERENCES access.account (username),
  duty         text NOT NULL,                  -- from this one alone; '': from every duty
  during       tstzrange NOT NULL CHECK (COALESCE(upper(during) > lower(during), false)),
  covered_by   text REFERENCES access.account (username),
  recorded_by  text NOT NULL,
  recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  withdrawn_by text,
  withdrawn_at timestamptz,
  CHECK (covered_by <> username),
  CONSTRAINT absence_apart EXCLUDE USING gist (username WITH =, duty WITH =, during WITH &&)
    WHERE (withdrawn_at IS NULL)
);

CREATE TABLE scheduling.resource (
  id           uuid PRIMARY KEY,
  organisation text NOT NULL,                  -- campus code; of a hospital that is not integrated, too
  kind         text NOT NULL CHECK (kind IN ('expert', 'clinic', 'bed', 'room')),
  name         text NOT NULL,
  username     text REFERENCES access.account (username), -- the expert: whose absence closes it
  created_by   text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (organisation, kind, name)
);
-- Somebody who works in two places has one calendar, or would be in both at once.
CREATE UNIQUE INDEX resource_username ON scheduling.resource (username);

CREATE TABLE scheduling.slot (
  id           uuid PRIMARY KEY,
  resource_id  uuid NOT NULL REFERENCES scheduling.resource,
  during       tstzrange NOT NULL CHECK (COALESCE(upper(during) > lower(during), false)),
  published_by text NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  withdrawn_by text,
  withdrawn_at timestamptz,
  CONSTRAINT slot_apart EXCLUDE USING gist (resource_id WITH =, during WITH &&) WHERE (withdrawn_at IS NULL)
);

CREATE INDEX slot_during ON scheduling.slot USING gist (during) WHERE withdrawn_at IS NULL;

CREATE TABLE scheduling.booking (
  id           uuid PRIMARY KEY,
  business_key text NOT NULL,                  -- whoever asks again by it gets the same booking
  subject      text NOT NULL,                  -- id of the workflow: referral-<uuid>, consultation-<uuid>
  resource_id  uuid NOT NULL REFERENCES scheduling.resource,
  slot_id      uuid NOT NULL REFERENCES scheduling.slot,
  during       tstzrange NOT NULL,
  state        text NOT NULL CHECK (state IN ('held', 'confirmed', 'released', 'expired')),
  held_until   timestamptz NOT NULL,
  held_by      text NOT NULL,
  held_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  confirmed_by text,
  confirmed_at timestamptz,
  moves        int NOT NULL DEFAULT 0,
  changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_by     text,
  ended_at     timestamptz,
  CHECK ((state IN ('released', 'expired')) = (ended_at IS NOT NULL)),
  CHECK (state <> 'confirmed' OR confirmed_at IS NOT NULL),
  CONSTRAINT booking_apart EXCLUDE USING gist (resource_id WITH =, during WITH &&)
    WHERE (state IN ('held', 'confirmed'))
);
CREATE UNIQUE INDEX booking_key ON scheduling.booking (business_key) WHERE state IN ('held', 'confirmed');
CREATE INDEX booking_of_key ON scheduling.booking (business_key, held_at);
CREATE INDEX booking_lapsing ON scheduling.booking (held_until) WHERE state = 'held';

CREATE TABLE scheduling.feed (
  id          uuid PRIMARY KEY,
  username    text NOT NULL REFERENCES access.account (username), -- whose address it is
  resource_id uuid REFERENCES scheduling.resource, -- whose calendar it gives; none: the user's own
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  revoked_at  timestamptz
);
CREATE UNIQUE INDEX feed_own ON scheduling.feed (username) WHERE resource_id IS NULL AND revoked_at IS NULL;
CREATE UNIQUE INDEX feed_of ON scheduling.feed (username, resource_id) WHERE revoked_at IS NULL;
"""


def upgrade() -> None:
    """Make the schema."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it; the extension stays, somebody else may use it."""
    op.execute("DROP SCHEMA scheduling CASCADE")
