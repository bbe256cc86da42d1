"""Master data: entries by kind, owner and code with effective dates; code map additions; subscribers.

Nothing here is overwritten: a correction is the next version of its row, and the database refuses updates.
A held message names the code it waits for, so that mapping that code releases exactly what waited for it.
"""

from alembic import op

revision = "0009_master_data"
down_revision = "0008_operations"
branch_labels = None
depends_on = None

SQL = """
CREATE SCHEMA terminology;

CREATE TABLE terminology.import (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind        text NOT NULL,
  source      text NOT NULL,                  -- name of the file, or who sent it
  digest      bytea NOT NULL,                 -- SHA-256 of what was imported
  added       int NOT NULL,
  changed     int NOT NULL,
  unchanged   int NOT NULL,
  imported_by text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX import_kind ON terminology.import (kind, id);

CREATE TABLE terminology.entry (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind        text NOT NULL,                  -- consortium.terminology.model.Kind
  owner       text NOT NULL,                  -- campus code, or GROUP
  code        text NOT NULL,
  valid_from  date NOT NULL,                  -- first day in force
  version     int NOT NULL,                   -- 1, then one more for each correction of this period
  valid_to    date,                           -- last day in force; NULL: until the next period begins
  name        text NOT NULL,
  attributes  jsonb NOT NULL DEFAULT '{}',
  import_id   bigint NOT NULL REFERENCES terminology.import,
  recorded_by text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (valid_to IS NULL OR valid_to >= valid_from),
  UNIQUE (kind, owner, code, valid_from, version)
);
CREATE INDEX entry_code ON terminology.entry (kind, code);

CREATE TABLE terminology.map_entry (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code_table text NOT NULL,                   -- rules/codes/<code_table>.csv
  facility   text NOT NULL,
  code       text NOT NULL,
  target     text NOT NULL,
  name       text,
  system     text,
  why        text NOT NULL,
  mapped_by  text NOT NULL,
  mapped_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX map_entry_code ON terminology.map_entry (code_table, facility, code, id);

CREATE TABLE terminology.subscriber (
  name       text PRIMARY KEY,                -- its destination in bus.outbox is master-data:<name>
  kinds      text[] NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION terminology.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON terminology.import
  FOR EACH STATEMENT EXECUTE FUNCTION terminology.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON terminology.entry
  FOR EACH STATEMENT EXECUTE FUNCTION terminology.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON terminology.map_entry
  FOR EACH STATEMENT EXECUTE FUNCTION terminology.refuse_change();

ALTER TABLE bus.held ADD COLUMN code_table text, ADD COLUMN source_code text;
COMMENT ON COLUMN bus.held.source_code IS 'the code that code_table does not know, of the message''s campus';
UPDATE bus.held SET code_table = substring(step FROM '^lookup (.+)$'),
    source_code = substring(reason FROM '^the code ''([^''\\\\]+)'' of ')
  WHERE code = 'unmapped_code' AND reason ~ '^the code ''[^''\\\\]+'' of ';
CREATE INDEX held_unmapped ON bus.held (code_table, source_code)
  WHERE released_at IS NULL AND code_table IS NOT NULL;
"""

UNDO = """
DROP INDEX bus.held_unmapped;
ALTER TABLE bus.held DROP COLUMN code_table, DROP COLUMN source_code;
DROP SCHEMA terminology CASCADE;
"""


def upgrade() -> None:
    """Create the terminology schema."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it, and what held messages say of codes."""
    op.execute(UNDO)
