"""The SOAP faces of shared documents (IHE XDS.b)."""
