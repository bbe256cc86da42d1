"""Teleconsultations. Today: what their video tells them (`model.VideoEvent`)."""
