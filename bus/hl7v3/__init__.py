"""HL7 v3 messages of patient identity: what they say, and how they are answered (ITI-44, 45, 47)."""
