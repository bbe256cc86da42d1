"""What matching needs: what a person decided of two source patients, pairs to look at, candidate search.

Candidates are found by hashed blocking keys: one row for each key of a source patient, read by an index that
holds both columns. Former values are compared too; they are kept beside the current ones, so that a candidate
is one row. A link and its ledger row keep the score that made it and the version of the model that gave it.
"""

from alembic import op

revision = "0015_matching"
down_revision = "0014_split"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE identity.source_patient
  ADD COLUMN former jsonb NOT NULL DEFAULT '{}'; -- earlier values by fact, newest first

CREATE TABLE identity.block (
  key               bigint NOT NULL,         -- hash of a blocking key, consortium.identity.matching.blocks
  source_patient_id bigint NOT NULL,         -- no foreign key: a check per row would cost more than the row
  PRIMARY KEY (key, source_patient_id)
);

-- Who was not compared within a block, because it holds more than the model's limit.
CREATE TABLE identity.crowded (
  key               bigint NOT NULL,
  source_patient_id bigint NOT NULL,
  kind              text NOT NULL,           -- of the blocking key
  at                timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (key, source_patient_id)
);

ALTER TABLE identity.link
  ADD COLUMN weight double precision,        -- log2 of the match weight, whole, when the rule is probable
  ADD COLUMN model_version text,
  ADD COLUMN evidence jsonb;                 -- waterfall: [{"field","level","weight"}]; no patient data
ALTER TABLE identity.ledger
  ADD COLUMN weight double precision,
  ADD COLUMN model_version text,
  ADD COLUMN evidence jsonb;

-- What a person decided of two source patients; outranks automation, both ways.
CREATE TABLE identity.verdict (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  left_id    bigint NOT NULL REFERENCES identity.source_patient,
  right_id   bigint NOT NULL REFERENCES identity.source_patient,
  says       text NOT NULL CHECK (says IN ('same', 'different')),
  reason     text NOT NULL,
  by_user    text NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz, revoked_by text, revoke_reason text,
  CHECK (left_id < right_id)
);
CREATE UNIQUE INDEX verdict_standing ON identity.verdict (left_id, right_id) WHERE revoked_at IS NULL;
CREATE INDEX verdict_right ON identity.verdict (right_id) WHERE revoked_at IS NULL;

-- A pair that a person should look at.
CREATE TABLE identity.review (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  left_id       bigint NOT NULL REFERENCES identity.source_patient,
  right_id      bigint NOT NULL REFERENCES identity.source_patient,
  reason        text NOT NULL,          -- probable; card_conflict: borrowed or a parent's; twin; placeholder:
                                        -- newborn, unknown, masked; overlay; verdict_conflict
  weight        double precision,       -- log2 of the match weight, whole
  model_version text NOT NULL,
  evidence      jsonb NOT NULL,         -- waterfall, as on the link; values are read live
  state         text NOT NULL DEFAULT 'open'
                CHECK (state IN ('open', 'claimed', 'decided', 'withdrawn')),
  opened_at     timestamptz NOT NULL DEFAULT now(),
  message_id    bigint,                 -- whose message raised it
  claimed_by    text, claimed_at timestamptz,
  decided_by    text, decided_at timestamptz, verdict_id bigint REFERENCES identity.verdict,
  CHECK (left_id < right_id)
);
CREATE UNIQUE INDEX review_standing ON identity.review (left_id, right_id)
  WHERE state IN ('open', 'claimed');
CREATE INDEX review_right ON identity.review (right_id) WHERE state IN ('open', 'claimed');
CREATE INDEX review_queue ON identity.review (state, opened_at, id);
"""

UNDO = """
DROP TABLE identity.review, identity.verdict, identity.crowded, identity.block;
ALTER TABLE identity.ledger DROP COLUMN weight, DROP COLUMN model_version, DROP COLUMN evidence;
ALTER TABLE identity.link DROP COLUMN weight, DROP COLUMN model_version, DROP COLUMN evidence;
ALTER TABLE identity.source_patient DROP COLUMN former;
"""


def upgrade() -> None:
    """Create them."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them."""
    op.execute(UNDO)
