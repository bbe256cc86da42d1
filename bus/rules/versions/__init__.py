"""Versions of the rule set: stored whole by digest, activated by a ledger, taken up between two batches."""
