"""Additions to the code tables with dates, relationship and owner.

What was mapped before holds always, as equivalent, as its campus's own.
"""

from alembic import op

revision = "0032_dated_code_maps"
down_revision = "0031_records_layout"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE terminology.map_entry
  ADD COLUMN valid_from date,
  ADD COLUMN valid_to date,
  ADD COLUMN relationship text CHECK (relationship IN
    ('equivalent', 'equal', 'relatedto', 'inexact', 'wider', 'narrower', 'subsumes', 'specializes')),
  ADD COLUMN owner text,
  ADD CHECK (valid_to >= valid_from);
COMMENT ON COLUMN terminology.map_entry.valid_from IS 'first day in force; NULL: since ever';
COMMENT ON COLUMN terminology.map_entry.valid_to
  IS 'last day in force; NULL: until the next period of the code begins';
COMMENT ON COLUMN terminology.map_entry.relationship
  IS 'of the target to the code, R4 ConceptMapEquivalence; NULL: equivalent';
COMMENT ON COLUMN terminology.map_entry.owner IS 'who answers for it; NULL: the campus';
"""

UNDO = """
ALTER TABLE terminology.map_entry
  DROP COLUMN valid_from, DROP COLUMN valid_to, DROP COLUMN relationship, DROP COLUMN owner;
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(SQL)


def downgrade() -> None:
    """Drop them; what was mapped with dates holds always."""
    op.execute(UNDO)
