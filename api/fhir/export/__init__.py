"""FHIR bulk data export (2.0): records of many people as NDJSON, by a job that resumes where it stopped."""
