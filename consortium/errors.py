"""The platform's one exception tree."""

from __future__ import annotations


class YilianError(Exception):
    """Something that the platform itself recognised as wrong. Its text is English; `zh` says the same."""

    zh: str = ""
    """In Chinese, for people at the terminal; empty where there is none."""

    def __init__(self, *args: object, zh: str = "") -> None:
        super().__init__(*args)
        if zh:
            self.zh = zh


class RetryableError(YilianError):
    """May succeed when tried again: a broker, database or peer out of reach."""


class PermanentError(YilianError):
    """Will not succeed however often it is tried; a person or a change is needed."""


class SecurityError(YilianError):
    """Refused for safety: access, signature, forbidden XML."""


class ConflictError(PermanentError):
    """The thing is not in a state that allows this: closed already, or acknowledged by another."""
