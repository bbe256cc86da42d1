"""Operations: replays and what they did, indexes for finding messages, alerts, the campuses' systems.

`bus.replay` and `bus.replayed` are append-only: who let which message go again, why, and what became of it.
`bus.work.place` is the message whose place in inbox order an edited one takes.
"""

from alembic import op

revision = "0008_operations"
down_revision = "0007_files"
branch_labels = None
depends_on = None

REPLAYS = """
ALTER TABLE bus.work ADD COLUMN place bigint;

CREATE TABLE bus.replay (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  by              text NOT NULL,
  reason          text NOT NULL CHECK (btrim(reason) <> ''),
  kind            text NOT NULL CHECK (kind IN ('one', 'query', 'edit')),
  request         jsonb NOT NULL,               -- the filters, or the message; what a repeated key must match
  idempotency_key text,
  UNIQUE (by, idempotency_key)
);

CREATE TABLE bus.replayed (
  replay_id   bigint NOT NULL REFERENCES bus.replay,
  original_id bigint NOT NULL,
  message_id  bigint NOT NULL,                  -- the original itself, or the message that was edited from it
  place       bigint NOT NULL,                  -- the message whose place in inbox order it takes
  effect      text NOT NULL CHECK (effect IN ('released', 'again', 'edited')),
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (replay_id, original_id)
);
CREATE INDEX replayed_original ON bus.replayed (original_id);
CREATE INDEX replayed_message ON bus.replayed (message_id);

CREATE TABLE bus.replay_run (
  replay_id bigint PRIMARY KEY REFERENCES bus.replay,
  state     text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped', 'done', 'failed')),
  upto      bigint NOT NULL,                    -- nothing newer than the replay itself takes part
  position  bigint NOT NULL DEFAULT 0,
  total     int NOT NULL,
  done      int NOT NULL DEFAULT 0,
  skipped   int NOT NULL DEFAULT 0,
  error     text,
  moved_at  timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX replay_run_open ON bus.replay_run (replay_id) WHERE state = 'running';

CREATE TRIGGER replay_append_only BEFORE UPDATE OR DELETE ON bus.replay
  FOR EACH ROW EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER replay_no_truncate BEFORE TRUNCATE ON bus.replay
  FOR EACH STATEMENT EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER replayed_append_only BEFORE UPDATE OR DELETE ON bus.replayed
  FOR EACH ROW EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER replayed_no_truncate BEFORE TRUNCATE ON bus.replayed
  FOR EACH STATEMENT EXECUTE FUNCTION bus.append_only();
"""

UNDO_REPLAYS = """
DROP TABLE bus.replay_run, bus.replayed, bus.replay;
ALTER TABLE bus.work DROP COLUMN place;
"""

FINDING = """
CREATE INDEX inbox_visit ON bus.inbox (facility, visit_number, id) WHERE visit_number IS NOT NULL;
CREATE INDEX inbox_type ON bus.inbox (facility, message_type, id);
CREATE INDEX work_open ON bus.work (state, id) WHERE state <> 0;
CREATE INDEX held_code ON bus.held (code, message_id) WHERE released_at IS NULL;
CREATE INDEX held_rule ON bus.held (rule, message_id) WHERE released_at IS NULL;
CREATE INDEX trace_rule ON bus.trace ((detail->>'rule'), message_id) WHERE step = 'recorded';
CREATE INDEX trace_discarded ON bus.trace (message_id) WHERE step = 'discarded';
CREATE INDEX refusal_code ON bus.refusal (code, id);

-- The first id received at or after a time, nearly: ids and times rise together, but for late commits.
CREATE FUNCTION bus.inbox_at(wanted timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  low bigint; high bigint; middle bigint; one record;
BEGIN
  SELECT coalesce(min(id), 1), coalesce(max(id), 0) + 1 INTO low, high FROM bus.inbox;
  WHILE low < high LOOP
    middle := (low + high) / 2;
    SELECT id, received_at INTO one FROM bus.inbox WHERE id >= middle ORDER BY id LIMIT 1;
    IF NOT FOUND OR one.received_at >= wanted THEN
      high := middle;
    ELSE
      low := one.id + 1;
    END IF;
  END LOOP;
  RETURN low;
END
$$;
"""

UNDO_FINDING = """
DROP FUNCTION bus.inbox_at(timestamptz);
DROP INDEX bus.inbox_visit, bus.inbox_type, bus.work_open, bus.held_code, bus.held_rule, bus.trace_rule,
  bus.trace_discarded, bus.refusal_code;
"""

SYSTEMS = """
-- What each system of a campus sent, counted once for each message as it is passed.
CREATE TABLE bus.system (
  facility     text NOT NULL,
  sender       text NOT NULL,
  protocol     text NOT NULL,
  endpoint     text NOT NULL,
  message_type text NOT NULL,
  first_seen   timestamptz NOT NULL,
  last_seen    timestamptz NOT NULL,
  messages     bigint NOT NULL,
  day          date NOT NULL,                   -- of last_seen, in China's time
  today        bigint NOT NULL,                 -- messages of that day
  PRIMARY KEY (facility, sender, protocol, endpoint, message_type)
) WITH (fillfactor = 70);

-- How far the counting is. Ids are given before their commit, so it goes up to a marker only, and that when
-- every transaction of the marker's time has ended.
CREATE TABLE bus.system_position (
  single      boolean PRIMARY KEY DEFAULT true CHECK (single),
  position    bigint NOT NULL DEFAULT 0,
  marker      bigint NOT NULL DEFAULT 0,
  marker_xmax xid8 NOT NULL DEFAULT '0',
  marker_at   timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO bus.system_position DEFAULT VALUES;
CREATE INDEX held_at ON bus.held (held_at);
"""

UNDO_SYSTEMS = """
DROP INDEX bus.held_at;
DROP TABLE bus.system, bus.system_position;
"""

ALERTS = """
CREATE TABLE bus.alert (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name            text NOT NULL,                -- queue_age, error_rate, silence, unmapped, process, disk
  subject         text NOT NULL,                -- a campus or a process; '' for the whole platform
  value           double precision NOT NULL,    -- when it was last looked at
  threshold       double precision NOT NULL,
  detail          text NOT NULL,                -- for a person; no patient data
  raised_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  cleared_at      timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by text,
  note            text
);
CREATE UNIQUE INDEX alert_open ON bus.alert (name, subject) WHERE cleared_at IS NULL;
CREATE INDEX alert_raised ON bus.alert (raised_at);

CREATE TABLE bus.alert_notice (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id     bigint NOT NULL REFERENCES bus.alert,
  event        text NOT NULL CHECK (event IN ('raised', 'cleared')),
  channel      text NOT NULL CHECK (channel IN ('webhook', 'email')),
  attempts     int NOT NULL DEFAULT 0,
  not_before   timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_error   text,
  delivered_at timestamptz,
  UNIQUE (alert_id, event, channel)
);
CREATE INDEX alert_notice_due ON bus.alert_notice (not_before) WHERE delivered_at IS NULL;
"""

UNDO_ALERTS = "DROP TABLE bus.alert_notice, bus.alert;"


def upgrade() -> None:
    """Create what operations need."""
    op.execute(REPLAYS)
    op.execute(FINDING)
    op.execute(SYSTEMS)
    op.execute(ALERTS)


def downgrade() -> None:
    """Drop it."""
    op.execute(UNDO_ALERTS)
    op.execute(UNDO_SYSTEMS)
    op.execute(UNDO_FINDING)
    op.execute(UNDO_REPLAYS)
