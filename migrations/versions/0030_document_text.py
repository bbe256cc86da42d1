"""Full-text search in documents: their text, by which it is found, and which are still to be read.

`documents.text_pending` is filled by triggers, in the transaction that writes a document, whoever writes it:
so no document is missed. A row of it is never updated by a writer: the indexer takes away what it read, and a
document that changed meanwhile has a further row. `documents.text.tokens` are the words, characters and pairs
of Chinese characters of `consortium.documents.phrases`: PostgreSQL's own search takes a Chinese sentence as
one word.
"""

from alembic import op

revision = "0030_document_text"
down_revision = "0024_sent_forms"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE documents.text (
  document_id uuid PRIMARY KEY,
  source      text NOT NULL CHECK (source IN ('recorded', 'shared')), -- records.document, documents.entry
  patient_id  bigint NOT NULL,               -- the campus's patient: whose it is follows from identity.link
  facility    text NOT NULL,                 -- the campus that it is from
  at          timestamptz NOT NULL,          -- of the document
  sha256      bytea,                         -- of the content that was read; NULL: there is none here
  problem     text,                          -- why there is no text, or not all of it
  indexed_at  timestamptz NOT NULL,
  text        text NOT NULL,                 -- for people
  folded      text COLLATE "C" NOT NULL,     -- as phrases are compared
  tokens      text[] COLLATE "C" NOT NULL
) WITH (toast_tuple_target = 128);
-- The long columns lie apart, so that thousands of candidates are put in order without reading them.
CREATE INDEX text_tokens ON documents.text USING gin (tokens) WITH (gin_pending_list_limit = 1024);
CREATE INDEX text_at ON documents.text (at DESC, document_id DESC);
CREATE INDEX text_patient ON documents.text (patient_id, at DESC, document_id DESC);
CREATE INDEX text_problem ON documents.text (problem) WHERE problem IS NOT NULL;

-- The documents that have the tokens, the newest first. By the index, always: the planner does not know that
-- reading the tokens of every row costs seconds.
CREATE FUNCTION documents.having_tokens(
  wanted text[], campus text, before_at timestamptz, before_id uuid, most bigint
) RETURNS TABLE (document_id uuid, source text, patient_id bigint, at timestamptz, sha256 bytea, folded text)
LANGUAGE sql STABLE SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 AS $$
  SELECT t.document_id, t.source, t.patient_id, t.at, t.sha256, t.folded
    FROM (SELECT * FROM documents.text WHERE tokens @> wanted OFFSET 0) t -- not by the index of times
   WHERE (campus IS NULL OR t.facility = campus) AND (t.at, t.document_id) < (before_at, before_id)
   ORDER BY t.at DESC, t.document_id DESC LIMIT most
$$;

CREATE TABLE documents.text_pending (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  document_id uuid NOT NULL,
  source      text NOT NULL,
  queued_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts    int NOT NULL DEFAULT 0         -- begun so often: one that ends the process is given up
);

-- How far a rebuild is, so that it goes on where it was stopped.
CREATE TABLE documents.rebuild (
  name     text PRIMARY KEY,
  begun_at timestamptz NOT NULL,
  source   text NOT NULL,
  after    uuid,
  done     bigint NOT NULL DEFAULT 0,
  total    bigint NOT NULL,
  ended_at timestamptz
);

CREATE FUNCTION documents.queue_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO documents.text_pending (document_id, source)
  SELECT id, 'recorded' FROM written WHERE content_sha256 IS NOT NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER queue_text AFTER INSERT ON records.document
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION documents.queue_recorded();
CREATE TRIGGER queue_changed_text AFTER UPDATE ON records.document
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION documents.queue_recorded();

CREATE FUNCTION documents.queue_registered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO documents.text_pending (document_id, source) SELECT id, 'shared' FROM written;
  RETURN NULL;
END $$;
CREATE TRIGGER queue_text AFTER INSERT ON documents.entry
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION documents.queue_registered();

CREATE FUNCTION documents.queue_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO documents.text_pending (document_id, source)
  SELECT e.id, 'shared' FROM written s
    JOIN documents.entry e ON e.unique_id = s.unique_id AND e.repository_unique_id = s.repository;
  RETURN NULL;
END $$;
CREATE TRIGGER queue_text AFTER INSERT ON documents.stored
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION documents.queue_stored();

INSERT INTO documents.text_pending (document_id, source)
SELECT id, 'recorded' FROM records.document WHERE content_sha256 IS NOT NULL AND NOT deleted
UNION ALL SELECT id, 'shared' FROM documents.entry;
"""

UNDO = """
DROP TRIGGER queue_text ON records.document;
DROP TRIGGER queue_changed_text ON records.document;
DROP TRIGGER queue_text ON documents.entry;
DROP TRIGGER queue_text ON documents.stored;
DROP FUNCTION documents.having_tokens(text[], text, timestamptz, uuid, bigint);
DROP FUNCTION documents.queue_recorded, documents.queue_registered, documents.queue_stored;
DROP TABLE documents.text, documents.text_pending, documents.rebuild;
"""


def upgrade() -> None:
    """Make the index, and put every document that is there on the list."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it; nothing is lost that cannot be made again."""
    op.execute(UNDO)
