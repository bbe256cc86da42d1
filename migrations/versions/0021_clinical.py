"""Procedures, allergies, how medicines are taken, specimens, and what belongs together within a report."""

from alembic import op

revision = "0021_clinical"
down_revision = "0020_repository"
branch_labels = None
depends_on = None

META = """
  at             timestamptz NOT NULL,
  deleted        boolean NOT NULL,
  version        int NOT NULL,
  message_id     bigint NOT NULL,
  source_version text,
  changed_at     timestamptz NOT NULL,
  PRIMARY KEY (id, patient_id)
"""

TABLES = """
CREATE TABLE records.procedure (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  encounter_id uuid, order_id uuid, part_of_id uuid,
  kind text NOT NULL, status text NOT NULL, order_number text, part_of text,
  item_code text NOT NULL, item_name text, item_system text,
  site_code text, site_name text, site_system text,
  department_code text, department_name text, department_system text,
  doctor_number text, doctor_name text,
  start_at timestamptz, end_at timestamptz, level text, incision text, note text, META
) PARTITION BY HASH (patient_id);

CREATE TABLE records.allergy (
  id uuid NOT NULL, patient_id bigint NOT NULL, facility text NOT NULL, number text NOT NULL,
  encounter_id uuid,
  category text, criticality text, status text NOT NULL, reaction text,
  item_code text NOT NULL, item_name text, item_system text,
  author_number text, author_name text, noted_at timestamptz, META
) PARTITION BY HASH (patient_id);

DO $$
DECLARE
  kind text;
BEGIN
  FOREACH kind IN ARRAY ARRAY['procedure', 'allergy'] LOOP
    EXECUTE format('CREATE INDEX %I ON records.%I (patient_id, at DESC, id)', kind || '_patient', kind);
    FOR part IN 0..7 LOOP
      EXECUTE format('CREATE TABLE records.%I PARTITION OF records.%I'
        ' FOR VALUES WITH (MODULUS 8, REMAINDER %s) WITH (fillfactor = 90)', kind || '_' || part, kind, part);
    END LOOP;
  END LOOP;
END $$;

ALTER TABLE records."order"
  ADD prescription text, ADD dose numeric, ADD dose_unit text,
  ADD route_code text, ADD route_name text, ADD route_system text,
  ADD frequency_code text, ADD frequency_name text, ADD frequency_system text,
  ADD days int, ADD quantity numeric, ADD quantity_unit text, ADD instructions text;
ALTER TABLE records.report
  ADD specimen_code text, ADD specimen_name text, ADD specimen_system text;
ALTER TABLE records.result ADD sub_id text;
""".replace("META", META)


def upgrade() -> None:
    """Make the tables and columns."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE records.procedure, records.allergy")
    op.execute(
        'ALTER TABLE records."order"'
        " DROP prescription, DROP dose, DROP dose_unit, DROP route_code, DROP route_name, DROP route_system,"
        " DROP frequency_code, DROP frequency_name, DROP frequency_system, DROP days, DROP quantity,"
        " DROP quantity_unit, DROP instructions"
    )
    op.execute("ALTER TABLE records.report DROP specimen_code, DROP specimen_name, DROP specimen_system")
    op.execute("ALTER TABLE records.result DROP sub_id")
