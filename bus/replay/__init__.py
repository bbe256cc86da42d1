"""Replaying: one message, many by a query, or an edited one; linked to its original, with who and why."""
