"""One FastAPI application: `/api/v1`, `/fhir`, and what the HTTP adapters mount."""
