"""The main campus: HIS, EMR, LIS and RIS, each sending HL7 v2 over its own MLLP connection."""
