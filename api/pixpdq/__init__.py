"""PIX and PDQ, HL7 v3 over SOAP: `/pix/v3` (ITI-44, 45) and `/pdq/v3` (ITI-47)."""
