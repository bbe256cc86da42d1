"""Parsed messages, in one shape for the rules: HL7 v2, XML, rows and JSON."""
