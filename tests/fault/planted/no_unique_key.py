"""A planted bug: the inbox stores whatever comes, known or not. Its table has lost the unique key too."""

from __future__ import annotations

import sys

from adapters.mllp.__main__ import main
from bus.inbox import storing

GUARD = b"ON CONFLICT (facility, sender, control_id, generation) DO NOTHING"
SCHEMA = ("ALTER TABLE bus.inbox DROP CONSTRAINT inbox_facility_sender_control_id_generation_key",)

if __name__ == "__main__":
    assert GUARD in storing.INSERT, "the bug can no longer be planted here; plant it where the guard is now"
    storing.INSERT = storing.INSERT.replace(GUARD, b"")
    sys.exit(main())
