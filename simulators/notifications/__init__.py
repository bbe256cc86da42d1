"""Providers that do not exist: an SMS gateway, WeChat's template messages, a mail server; each keeps what it
was given.
"""
