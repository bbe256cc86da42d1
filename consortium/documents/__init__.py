"""Shared documents (IHE XDS.b): what is said of them, what may be registered, what a query finds."""
