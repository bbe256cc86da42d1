"""PIX and PDQ over HL7 v2."""
