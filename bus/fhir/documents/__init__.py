"""Shared documents as FHIR resources (IHE MHD 4.2): DocumentReference and List, read and shown."""
