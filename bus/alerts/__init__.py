"""Alerts: what is watched, when one is raised and cleared, and who is told."""
