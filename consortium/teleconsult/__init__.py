"""Teleconsultations: what the platform knows of them. `rooms` is their video."""
