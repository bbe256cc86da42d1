"""From the canonical model to HL7 v2.4 and v2.5, pure. docs/fhir.md has the table of fields."""
