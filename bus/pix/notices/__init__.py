"""Telling others of changed links: ITI-10 to those that ask by PIX, ITI-64 to document registries.

What changed is read from the ledger of links once everything before it is committed; each notice is queued
with the memory of what was told, so it is told once, in each person's order, and delivered at least once.
"""
