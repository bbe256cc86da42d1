"""Shared documents: the registry's entries, submission sets, folders and associations (IHE XDS.b).

What is searched for stands in typed columns, codes as `code^^scheme`; `metadata` is the object as it was
submitted. `patient_id` is the campus's patient whom the submitted consortium id stood for: a merge or a split
changes what queries give, and moves no row. Associations name objects of every kind, also documents that the
bus recorded (records.document), so their ends carry no foreign keys; one service writes them all.
"""

from alembic import op

revision = "0018_documents"
down_revision = "0017_pix_feeds"
branch_labels = None
depends_on = None

SQL = """
CREATE SCHEMA documents;

CREATE TABLE documents.submission_set (
  id                uuid PRIMARY KEY,
  unique_id         text NOT NULL UNIQUE,
  patient_id        bigint NOT NULL REFERENCES identity.source_patient,
  submitted_patient text NOT NULL,             -- the consortium id, as submitted (CX)
  status            text NOT NULL CHECK (status IN ('approved', 'deprecated')),
  source_id         text NOT NULL,
  submission_time   timestamptz NOT NULL,
  content_type_code text NOT NULL,
  author_persons    text[] NOT NULL,
  metadata          jsonb NOT NULL,
  registered_at     timestamptz NOT NULL,
  registered_by     text NOT NULL, -- user name
  organisation      text NOT NULL
);
CREATE INDEX submission_set_patient ON documents.submission_set (patient_id, submission_time DESC);

CREATE TABLE documents.entry (
  id                    uuid PRIMARY KEY,
  unique_id             text NOT NULL,         -- not unique: the same document may be submitted again
  patient_id            bigint NOT NULL REFERENCES identity.source_patient,
  submitted_patient     text NOT NULL,
  status                text NOT NULL CHECK (status IN ('approved', 'deprecated')),
  object_type           text NOT NULL,
  class_code            text NOT NULL,
  type_code             text NOT NULL,
  format_code           text NOT NULL,
  facility_type_code    text NOT NULL,
  practice_setting_code text NOT NULL,
  confidentiality_codes text[] NOT NULL,
  event_codes           text[] NOT NULL,
  reference_ids         text[] NOT NULL,
  author_persons        text[] NOT NULL,
  creation_time         timestamptz,
  service_start_time    timestamptz,
  service_stop_time     timestamptz,
  repository_unique_id  text,
  hash                  text,
  size                  bigint,
  submission_set_id     uuid NOT NULL REFERENCES documents.submission_set,
  metadata              jsonb NOT NULL,
  registered_at         timestamptz NOT NULL,
  registered_by         text NOT NULL,
  organisation      text NOT NULL
);
CREATE INDEX entry_patient ON documents.entry (patient_id, creation_time DESC);
CREATE INDEX entry_unique_id ON documents.entry (unique_id);
CREATE INDEX entry_submission_set ON documents.entry (submission_set_id);
-- Queries over several patients that name none.
CREATE INDEX entry_class ON documents.entry (class_code, creation_time);
CREATE INDEX entry_facility_type ON documents.entry (facility_type_code, creation_time);
CREATE INDEX entry_events ON documents.entry USING gin (event_codes);
CREATE INDEX entry_references ON documents.entry USING gin (reference_ids);

CREATE TABLE documents.folder (
  id                uuid PRIMARY KEY,
  unique_id         text NOT NULL UNIQUE,
  patient_id        bigint NOT NULL REFERENCES identity.source_patient,
  submitted_patient text NOT NULL,
  status            text NOT NULL CHECK (status IN ('approved', 'deprecated')),
  codes             text[] NOT NULL,
  last_update_time  timestamptz NOT NULL,
  submission_set_id uuid NOT NULL REFERENCES documents.submission_set,
  metadata          jsonb NOT NULL,
  registered_at     timestamptz NOT NULL,
  registered_by     text NOT NULL,
  organisation      text NOT NULL
);
CREATE INDEX folder_patient ON documents.folder (patient_id, last_update_time DESC);
CREATE INDEX folder_codes ON documents.folder USING gin (codes);

CREATE TABLE documents.association (
  id                uuid PRIMARY KEY,
  type              text NOT NULL,
  source            uuid NOT NULL,
  target            uuid NOT NULL,
  status            text NOT NULL CHECK (status IN ('approved', 'deprecated')),
  submission_set_id uuid NOT NULL REFERENCES documents.submission_set,
  metadata          jsonb NOT NULL
);
CREATE INDEX association_source ON documents.association (source, type);
CREATE INDEX association_target ON documents.association (target, type);
CREATE INDEX association_submission_set ON documents.association (submission_set_id);

-- What the profile calls the hash of a content; computed once for a content that the bus recorded.
CREATE TABLE documents.content_sha1 (
  sha256 bytea PRIMARY KEY,
  sha1   bytea NOT NULL
);
"""


def upgrade() -> None:
    """Create the registry."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP SCHEMA documents CASCADE")
