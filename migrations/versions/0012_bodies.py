"""Bodies apart from the index rows, one partition for each day; what retention did.

`bus.inbox` keeps what messages are found, routed and recognised by, and the size of the body. `bus.body`
holds the bytes, in partitions by the day they came (China's time), so that a day goes by dropping a table.
The default partition `bus.body_kept` holds bodies that outlived their day: their messages were not finished.

Existing bodies are copied and the inbox is rewritten without them, in one transaction, while nothing else can
write: stop the platform first, and have twice the inbox's size free. Half a million messages of 1.2 kB took
32 s, and 52 s back, on two busy cores. The way back gives messages whose body was dropped an empty one.
"""

from alembic import op

revision = "0012_bodies"
down_revision = "0011_fhir"
branch_labels = None
depends_on = None

BODIES = """
CREATE TABLE bus.body (
  id          bigint NOT NULL,                 -- the inbox id
  received_at timestamptz NOT NULL,            -- exactly the inbox's: it names the partition
  body        bytea NOT NULL,
  PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE bus.body_kept PARTITION OF bus.body DEFAULT;

-- Makes a day's partition; false when it is there. What came before it was made has gone to the default
-- partition, and is moved.
CREATE FUNCTION bus.make_body_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  name text := 'body_' || to_char(day, 'YYYYMMDD');
  low timestamptz := day::timestamp AT TIME ZONE 'Asia/Shanghai';
  high timestamptz := (day + 1)::timestamp AT TIME ZONE 'Asia/Shanghai';
BEGIN
  IF to_regclass('bus.' || name) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE bus.body_kept IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE bus.%I (LIKE bus.body INCLUDING ALL)', name);
  EXECUTE format('WITH late AS (DELETE FROM bus.body_kept WHERE received_at >= %L AND received_at < %L'
                 ' RETURNING id, received_at, body) INSERT INTO bus.%I SELECT * FROM late', low, high, name);
  EXECUTE format('ALTER TABLE bus.body ATTACH PARTITION bus.%I FOR VALUES FROM (%L) TO (%L)',
                 name, low, high);
  RETURN true;
END
$$;

-- Messages that still have a way to go: their bodies, traces and index rows stay whatever their age.
CREATE VIEW bus.unfinished AS
  SELECT id AS message_id FROM bus.work
  UNION ALL SELECT message_id FROM bus.held WHERE released_at IS NULL
  UNION ALL SELECT message_id FROM bus.delivery WHERE done_at IS NULL
  UNION ALL SELECT message_id FROM bus.outbox WHERE delivered_at IS NULL AND message_id IS NOT NULL;

-- Drops a day's partition, except the bodies of unfinished messages, which go to the default partition. The
-- lock comes first: no replay can begin to need a body between the look and the drop.
CREATE FUNCTION bus.drop_body_day(day date, OUT dropped bigint, OUT spared bigint, OUT bytes bigint)
LANGUAGE plpgsql AS $$
DECLARE
  name text := 'body_' || to_char(day, 'YYYYMMDD');
BEGIN
  EXECUTE format('ALTER TABLE bus.body DETACH PARTITION bus.%I', name);
  EXECUTE format('SELECT count(*), pg_total_relation_size(%L) FROM bus.%I', 'bus.' || name, name)
    INTO dropped, bytes;
  EXECUTE format('INSERT INTO bus.body SELECT b.id, b.received_at, b.body FROM bus.%I b'
                 ' WHERE b.id IN (SELECT message_id FROM bus.unfinished)', name);
  GET DIAGNOSTICS spared = ROW_COUNT;
  dropped := dropped - spared;
  EXECUTE format('DROP TABLE bus.%I', name);
END
$$;

CREATE TABLE bus.retention (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  what    text NOT NULL CHECK (what IN
          ('bodies', 'kept_bodies', 'deliveries', 'refused_bodies', 'traces', 'index_rows', 'refusals',
           'outbox')),
  since   timestamptz,                         -- bodies: the partition's bounds
  until   timestamptz,
  dropped bigint NOT NULL,
  spared  bigint NOT NULL DEFAULT 0,           -- of messages that are not finished
  bytes   bigint
);
CREATE INDEX retention_bodies ON bus.retention (since) WHERE what = 'bodies';
CREATE TRIGGER retention_append_only BEFORE UPDATE OR DELETE ON bus.retention
  FOR EACH ROW EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER retention_no_truncate BEFORE TRUNCATE ON bus.retention
  FOR EACH STATEMENT EXECUTE FUNCTION bus.append_only();

-- Numbers of orders, reports, documents, charges and appointments, as the campus's rules found them.
CREATE TABLE bus.numbered (
  number     text COLLATE "C" NOT NULL,
  message_id bigint NOT NULL,
  PRIMARY KEY (number, message_id)
);
CREATE INDEX numbered_message ON bus.numbered (message_id);

CREATE INDEX outbox_message ON bus.outbox (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX outbox_delivered ON bus.outbox (delivered_at) WHERE delivered_at IS NOT NULL;
ALTER TABLE bus.refusal ALTER COLUMN body DROP NOT NULL;
CREATE INDEX refusal_bodies ON bus.refusal (at) WHERE body IS NOT NULL;
"""

MOVE = """
SELECT bus.make_body_day(day::date) FROM (
  SELECT DISTINCT (received_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM bus.inbox
  UNION SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date + ahead FROM generate_series(0, 7) AS ahead
) AS days;
INSERT INTO bus.body (id, received_at, body) SELECT id, received_at, body FROM bus.inbox;
ALTER TABLE bus.inbox ALTER COLUMN body TYPE int USING octet_length(body);
ALTER TABLE bus.inbox RENAME COLUMN body TO size;

CREATE VIEW bus.message AS
  SELECT i.*, b.body FROM bus.inbox i LEFT JOIN bus.body b ON b.id = i.id AND b.received_at = i.received_at;
COMMENT ON VIEW bus.message IS 'index row and body; body is NULL when retention dropped it';
"""

UNDO = """
DROP VIEW bus.message;
ALTER TABLE bus.inbox ADD COLUMN body bytea NOT NULL DEFAULT '';
UPDATE bus.inbox i SET body = b.body FROM bus.body b WHERE b.id = i.id AND b.received_at = i.received_at;
ALTER TABLE bus.inbox ALTER COLUMN body DROP DEFAULT, DROP COLUMN size;
UPDATE bus.refusal SET body = '' WHERE body IS NULL;
ALTER TABLE bus.refusal ALTER COLUMN body SET NOT NULL;
DROP INDEX bus.outbox_message, bus.outbox_delivered, bus.refusal_bodies;
DROP TABLE bus.retention, bus.numbered;
DROP FUNCTION bus.drop_body_day(date), bus.make_body_day(date);
DROP VIEW bus.unfinished;
DROP TABLE bus.body;
"""


def upgrade() -> None:
    """Move the bodies."""
    op.execute(BODIES)
    op.execute(MOVE)


def downgrade() -> None:
    """Put them back."""
    op.execute(UNDO)
