"""The hospitals' time zone."""

from __future__ import annotations

from datetime import timedelta, timezone

LOCAL = timezone(timedelta(hours=8))
"""China Standard Time. The country has had no summer time since 1991, so a fixed offset is exact."""
