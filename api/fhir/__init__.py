"""The FHIR R4 face (4.0.1): read and search. Resources are plain dicts made from rows."""
