"""Campuses as the deployed rules name them: who follows them, and what is wrong with their files."""
