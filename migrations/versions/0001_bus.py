"""The bus: inbox, work, held, trace, refusals, events, heartbeats.

`bus.inbox` is append-only. `bus.work` holds one narrow row for each message whose effect is not committed
yet; the transaction that commits the effect deletes it, which is what makes an effect happen once and in
inbox order.

What is only ever compared for equality collates as bytes: three microseconds less a message than by locale.
"""

from alembic import op

revision = "0001_bus"
down_revision = None
branch_labels = None
depends_on = None

SQL = """
CREATE SCHEMA bus;

CREATE TABLE bus.inbox (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  facility       text COLLATE "C" NOT NULL,
  sender         text COLLATE "C" NOT NULL,
  control_id     text COLLATE "C" NOT NULL,
  generation     smallint NOT NULL DEFAULT 0,   -- >0: the same control id, other content or after the window
  message_type   text COLLATE "C" NOT NULL,
  protocol       text NOT NULL,
  endpoint       text NOT NULL,
  charset        text NOT NULL,
  patient_number text COLLATE "C",
  visit_number   text COLLATE "C",
  message_time   text,
  digest         bytea NOT NULL,
  body           bytea NOT NULL,
  UNIQUE (facility, sender, control_id, generation)
);
CREATE INDEX inbox_patient ON bus.inbox (facility, patient_number, id) WHERE patient_number IS NOT NULL;
CREATE INDEX inbox_received ON bus.inbox USING brin (received_at);

CREATE TABLE bus.work (
  id           bigint PRIMARY KEY,            -- the inbox id
  patient_key  bigint NOT NULL,               -- keyed hash of facility and patient number
  other_key    bigint,                        -- second patient of a merge
  state        smallint NOT NULL DEFAULT 0,   -- 0 ready, 1 held, 2 waiting behind it, 3 held, nobody waits
  attempts     smallint NOT NULL DEFAULT 0,
  not_before   timestamptz,
  published_at timestamptz,                   -- broker confirmed
  blocked_by   bigint
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE INDEX work_patient ON bus.work (patient_key, id);
CREATE INDEX work_other ON bus.work (other_key, id) WHERE other_key IS NOT NULL;

CREATE TABLE bus.held (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id  bigint NOT NULL REFERENCES bus.inbox,
  held_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  code        text NOT NULL,                  -- control_id_conflict, unmapped_code, no_rule, waiting …
  reason      text NOT NULL,                  -- for a person; no patient data
  rule        text,
  step        text,
  field       text,
  released_at timestamptz,
  released_by text
);
CREATE INDEX held_message ON bus.held (message_id);
CREATE INDEX held_open ON bus.held (held_at) WHERE released_at IS NULL;

CREATE TABLE bus.trace (
  message_id bigint NOT NULL,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  step       text NOT NULL,                   -- published, routed, recorded, held, released, event …
  detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX trace_message ON bus.trace (message_id, at);

CREATE TABLE bus.refusal (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  protocol     text NOT NULL,
  endpoint     text NOT NULL,
  peer         text NOT NULL,
  facility     text,
  control_id   text,
  message_type text,
  code         text NOT NULL,
  reason       text NOT NULL,
  size         bigint NOT NULL,
  body         bytea NOT NULL
);
CREATE INDEX refusal_at ON bus.refusal (at);

CREATE TABLE bus.outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id   bigint,
  destination  text NOT NULL,                 -- 'workflow' today; campus systems later
  dedupe_key   text NOT NULL,
  payload      jsonb NOT NULL,                -- references, never patient data
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts     int NOT NULL DEFAULT 0,
  not_before   timestamptz,
  last_error   text,
  delivered_at timestamptz,
  UNIQUE (destination, dedupe_key)
);
CREATE INDEX outbox_due ON bus.outbox (destination, id) WHERE delivered_at IS NULL;

CREATE TABLE bus.unmapped (
  facility text NOT NULL,
  code_table text NOT NULL,
  code     text NOT NULL,
  count    bigint NOT NULL DEFAULT 1,
  first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (facility, code_table, code)
);

CREATE TABLE bus.watermark (
  poller  text PRIMARY KEY,
  value   jsonb NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE bus.heartbeat (
  name    text PRIMARY KEY,
  pid     int NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  detail  jsonb NOT NULL DEFAULT '{}'
);
"""


def upgrade() -> None:
    """Create the bus."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop the bus."""
    op.execute("DROP SCHEMA bus CASCADE")
