"""Notifications on their way out: spread to people and channels, sent once, and what became of each."""
