"""Search parameters of referrals, for the routes and the CapabilityStatement."""

from __future__ import annotations

from collections.abc import Mapping

from bus.fhir.resources.referral import CATEGORY

Parameter = tuple[str, str, str]
"""Name, type, documentation."""

_PATIENT: Parameter = ("patient", "reference", "golden person")
PARAMETERS: Mapping[str, tuple[Parameter, ...]] = {
    "Task": (
        ("_id", "token", "the referral's id"),
        _PATIENT,
        ("subject", "reference", "as patient"),
        ("focus", "reference", "the referral's ServiceRequest"),
        ("status", "token", "draft, requested, received, accepted, ready, in-progress, on-hold, …"),
        ("business-status", "token", "the referral's own state, such as under_review"),
        ("authored-on", "date", "when it was begun: eq, ge, gt, sa, le, lt, eb"),
    ),
    "Communication": (("based-on", "reference", "the referral's ServiceRequest; it must be given"),),
}
"""Of types that only referrals have."""
CATEGORY_TEXT = f"{CATEGORY} finds referrals instead of orders, by _id, patient, status and authored"
