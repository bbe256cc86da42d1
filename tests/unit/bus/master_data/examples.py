"""Master data as it is recorded."""

from __future__ import annotations

from datetime import UTC, date, datetime

from consortium.terminology.maps import MapEntry
from consortium.terminology.model import Entry, Kind, Recorded

AT = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
DEPARTMENT = Recorded(
    7,
    2,
    Entry(Kind.DEPARTMENT, "MAIN", "0101", "心内科", date(2020, 1, 1), None, {"type": "clinical"}),
    "chen",
    AT,
    "departments.csv",
)
MAPPING = MapEntry("sex", "MAIN", "W", "female", "女", None, 3, "字典第3版", "chen", AT)
