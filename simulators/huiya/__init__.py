"""Huiya: a hospital that shows its tables.

Its day is a series of edits, late ones and deletions among them.
"""
