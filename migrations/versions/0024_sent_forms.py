"""What was sent to other systems is kept, by the day, and may be sent again on purpose.

`bus.sent` holds what went out, where it is not the bytes that `bus.delivery` or the message itself keeps
already: of those the delivery has the digest alone. Its partitions are by the day a delivery was queued
(China's time) and go with the bodies of that day; the default partition `bus.sent_kept` holds what outlived
its day, until its delivery goes.

A delivery that is sent again on purpose is a new row, the next generation, linked to the one it repeats and
to who asked for it and why (`bus.delivery_again`).
"""

from alembic import op

revision = "0024_sent_forms"
down_revision = "0023_subscriptions"
branch_labels = None
depends_on = None

SENT = """
ALTER TABLE bus.delivery
  ADD COLUMN sent_digest bytea,                -- SHA-256 of what last went out; NULL: before it was kept
  ADD COLUMN sent_rules  text;                 -- the rule set under which it last went out

CREATE TABLE bus.sent (
  id        bigint NOT NULL,                   -- of bus.delivery
  queued_at timestamptz NOT NULL,              -- exactly the delivery's: it names the partition
  sent_at   timestamptz NOT NULL,              -- exactly the delivery's; another: of an earlier attempt
  charset   text NOT NULL,
  place     text,                              -- where it went, when that is made of the message
  body      bytea,                             -- zlib; NULL: the bytes that were queued
  PRIMARY KEY (id, queued_at)
) PARTITION BY RANGE (queued_at);
ALTER TABLE bus.sent ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE bus.sent_kept PARTITION OF bus.sent DEFAULT;

CREATE FUNCTION bus.make_sent_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  name text := 'sent_' || to_char(day, 'YYYYMMDD');
  low timestamptz := day::timestamp AT TIME ZONE 'Asia/Shanghai';
  high timestamptz := (day + 1)::timestamp AT TIME ZONE 'Asia/Shanghai';
BEGIN
  IF to_regclass('bus.' || name) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE bus.sent_kept IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE bus.%I (LIKE bus.sent INCLUDING ALL)', name);
  EXECUTE format('WITH late AS (DELETE FROM bus.sent_kept WHERE queued_at >= %L AND queued_at < %L'
                 ' RETURNING *) INSERT INTO bus.%I SELECT * FROM late', low, high, name);
  EXECUTE format('ALTER TABLE bus.sent ATTACH PARTITION bus.%I FOR VALUES FROM (%L) TO (%L)',
                 name, low, high);
  RETURN true;
END
$$;

-- Drops a day's partition, if there is one, except what belongs to unfinished messages.
CREATE FUNCTION bus.drop_sent_day(day date, OUT dropped bigint, OUT spared bigint, OUT bytes bigint)
LANGUAGE plpgsql AS $$
DECLARE
  name text := 'sent_' || to_char(day, 'YYYYMMDD');
BEGIN
  dropped := 0; spared := 0; bytes := 0;
  IF to_regclass('bus.' || name) IS NULL THEN
    RETURN;
  END IF;
  EXECUTE format('ALTER TABLE bus.sent DETACH PARTITION bus.%I', name);
  EXECUTE format('SELECT count(*), pg_total_relation_size(%L) FROM bus.%I', 'bus.' || name, name)
    INTO dropped, bytes;
  EXECUTE format('INSERT INTO bus.sent SELECT s.* FROM bus.%I s JOIN bus.delivery d ON d.id = s.id'
                 ' WHERE d.message_id IN (SELECT message_id FROM bus.unfinished)', name);
  GET DIAGNOSTICS spared = ROW_COUNT;
  dropped := dropped - spared;
  EXECUTE format('DROP TABLE bus.%I', name);
END
$$;

ALTER FUNCTION bus.make_body_day(date) RENAME TO make_body_day_alone;
CREATE FUNCTION bus.make_body_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  made boolean := bus.make_body_day_alone(day);
BEGIN
  PERFORM bus.make_sent_day(day);
  RETURN made;
END
$$;

ALTER TABLE bus.retention DROP CONSTRAINT retention_what_check;
ALTER TABLE bus.retention ADD CONSTRAINT retention_what_check CHECK (what IN
  ('bodies', 'kept_bodies', 'sent', 'deliveries', 'refused_bodies', 'traces', 'index_rows', 'refusals',
   'outbox'));

SELECT bus.make_sent_day((now() AT TIME ZONE 'Asia/Shanghai')::date + ahead)
  FROM generate_series(0, 7) AS ahead;
"""

AGAIN = """
CREATE TABLE bus.delivery_again (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at              timestamptz NOT NULL DEFAULT clock_timestamp(),
  by              text NOT NULL,
  why             text NOT NULL CHECK (btrim(why) <> ''),
  destination     text NOT NULL,
  request         jsonb NOT NULL,              -- the filters, or the delivery; what a repeated key must match
  idempotency_key text,
  UNIQUE (by, idempotency_key)
);
CREATE TRIGGER delivery_again_append_only BEFORE UPDATE OR DELETE ON bus.delivery_again
  FOR EACH ROW EXECUTE FUNCTION bus.append_only();
CREATE TRIGGER delivery_again_no_truncate BEFORE TRUNCATE ON bus.delivery_again
  FOR EACH STATEMENT EXECUTE FUNCTION bus.append_only();

ALTER TABLE bus.delivery
  ADD COLUMN generation smallint NOT NULL DEFAULT 0,             -- 0: as the rules sent it
  ADD COLUMN again_of   bigint,                                  -- the delivery that it repeats on purpose
  ADD COLUMN again_id   bigint REFERENCES bus.delivery_again;    -- who asked for it, and why
DROP INDEX bus.delivery_once;
CREATE UNIQUE INDEX delivery_once ON bus.delivery (destination, message_id, part, generation);
CREATE INDEX delivery_again_id ON bus.delivery (again_id) WHERE again_id IS NOT NULL;
"""

UNDO = """
DELETE FROM bus.delivery WHERE generation > 0;
DROP INDEX bus.delivery_once, bus.delivery_again_id;
ALTER TABLE bus.delivery DROP COLUMN generation, DROP COLUMN again_of, DROP COLUMN again_id;
CREATE UNIQUE INDEX delivery_once ON bus.delivery (destination, message_id, part);
DROP TABLE bus.delivery_again;
DROP FUNCTION bus.make_body_day(date), bus.make_sent_day(date), bus.drop_sent_day(date);
ALTER FUNCTION bus.make_body_day_alone(date) RENAME TO make_body_day;
DROP TABLE bus.sent;
ALTER TABLE bus.delivery DROP COLUMN sent_digest, DROP COLUMN sent_rules;
ALTER TABLE bus.retention DROP CONSTRAINT retention_what_check;
ALTER TABLE bus.retention ADD CONSTRAINT retention_what_check CHECK (what IN
  ('bodies', 'kept_bodies', 'deliveries', 'refused_bodies', 'traces', 'index_rows', 'refusals', 'outbox'))
  NOT VALID;                                   -- what was told of days of sent bytes stays told
"""


def upgrade() -> None:
    """Keep what is sent, and let it be sent again."""
    op.execute(SENT)
    op.execute(AGAIN)


def downgrade() -> None:
    """Forget what was sent, and what was sent again."""
    op.execute(UNDO)
