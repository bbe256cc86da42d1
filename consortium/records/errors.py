"""What a change can be refused for."""

from __future__ import annotations

from consortium.errors import PermanentError


class RecordError(PermanentError):
    """A change that cannot be recorded as it is."""

    def __init__(self, code: str, field: str, message: str) -> None:
        """Keep a machine-readable code and the field of the change; the message holds no patient data."""
        super().__init__(message)
        self.code = code
        self.field = field


def number_of_other_patient(field: str) -> RecordError:
    """Return the error for a number that is another patient's."""
    return RecordError(
        "number_of_other_patient",
        field,
        f"{field} belongs to another patient of this campus: correct the number or the patient at the sender,"
        " or merge the two patients, then replay",
    )


def unstorable_character(field: str) -> RecordError:
    """Return the error for text that cannot be kept as it is."""
    return RecordError(
        "unstorable_character",
        field,
        f"{field} holds the character U+0000: the sender's text or charset is broken there",
    )
