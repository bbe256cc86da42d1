"""Notifications: who is to be told what, in which words, and by which channel. Sending is `bus.notifying`."""
