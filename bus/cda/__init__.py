"""Clinical documents (HL7 CDA R2, WS/T 500): what is asked of them, and how they are shown."""
