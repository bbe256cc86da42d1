"""From FHIR resources to the canonical model: the inverse of `bus.fhir.resources`, pure."""
