"""Search attributes of all workflows.

They are stored in the clear: codes, states and times only, never a patient.
"""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

STATE = SearchAttributeKey.for_keyword("YilianState")
FACILITY = SearchAttributeKey.for_keyword("YilianFacility")
LEVEL = SearchAttributeKey.for_int("YilianEscalationLevel")
DEADLINE = SearchAttributeKey.for_datetime("YilianDeadline")

ALL = (STATE, FACILITY, LEVEL, DEADLINE)
