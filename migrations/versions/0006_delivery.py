"""Delivery: what goes to other systems, one row for each message and destination.

The rows are the queue of record. A row is written in the transaction of the message's effects, and claimed,
marked in flight and ended by `python -m bus.delivery`. `done_at` is empty while it is open, so that the
indexes by which the queue works hold open rows alone.
"""

from alembic import op

revision = "0006_delivery"
down_revision = "0005_rulesets"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE bus.delivery (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  destination text NOT NULL,
  message_id  bigint NOT NULL,
  patient_key bigint NOT NULL,                 -- as in bus.work: order is kept by it
  other_key   bigint,                          -- second patient of a merge
  form        text NOT NULL CHECK (form IN ('raw', 'canonical')),
  body        bytea,                           -- NULL: the bytes of bus.inbox
  state       text NOT NULL DEFAULT 'queued' CHECK (state IN
              ('queued', 'claimed', 'in_flight', 'ambiguous', 'parked', 'delivered', 'discarded')),
  attempts    int NOT NULL DEFAULT 0,          -- names one claim: a late outcome finds its own
  refusals    int NOT NULL DEFAULT 0,          -- answered failures in a row
  not_before  timestamptz,
  queued_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  tried_at    timestamptz,                     -- first on the wire
  sent_at     timestamptz,                     -- last on the wire
  answered_at timestamptz,
  done_at     timestamptz,
  code        text,                            -- AA, AE, 200, 503, unanswered, unreachable, not_hl7 …
  reason      text,                            -- for a person; no patient data
  answer      bytea,                           -- as it came; may name the patient
  decided_by  text,                            -- who resent or discarded it last, and why
  decided_at  timestamptz,
  decided_why text,
  UNIQUE (destination, message_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE INDEX delivery_queued ON bus.delivery (destination, id) WHERE done_at IS NULL AND state = 'queued';
CREATE INDEX delivery_patient ON bus.delivery (destination, patient_key, id) WHERE done_at IS NULL;
CREATE INDEX delivery_other ON bus.delivery (destination, other_key, id)
  WHERE done_at IS NULL AND other_key IS NOT NULL;
CREATE INDEX delivery_stuck ON bus.delivery (destination, state, id)
  WHERE done_at IS NULL AND state <> 'queued';
CREATE INDEX delivery_message ON bus.delivery (message_id);
CREATE INDEX delivery_done ON bus.delivery (destination, done_at) WHERE done_at IS NOT NULL;

CREATE TABLE bus.destination (
  name       text PRIMARY KEY,
  mode       text NOT NULL CHECK (mode IN ('running', 'paused', 'draining')),
  drain_to   bigint,                           -- draining: the last delivery that still goes
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_by text NOT NULL,
  why        text NOT NULL
);
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them, with what is queued."""
    op.execute("DROP TABLE bus.destination; DROP TABLE bus.delivery")
