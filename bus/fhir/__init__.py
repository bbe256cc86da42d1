"""FHIR R4 (4.0.1) as a face of the canonical model, in both directions. Resources are plain dicts."""
