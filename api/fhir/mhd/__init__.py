"""Mobile access to shared documents (IHE MHD 4.2) at /fhir/mhd: the same registry and repository as /xds.

It is an address of its own because a DocumentReference at /fhir is a record as a campus wrote it, with its
versions, and here it is a document as it was shared.
"""
