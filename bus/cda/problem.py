"""What is wrong with a document that comes in."""

from __future__ import annotations

from consortium.errors import PermanentError


class DocumentError(PermanentError):
    """A document that cannot be taken. The texts hold nothing of its content."""

    def __init__(self, code: str, path: str, chinese: str, english: str) -> None:
        """`code`: not_a_document, document_type, document_id, patient_number, schema, … as XML is refused."""
        super().__init__(f"{path}: {chinese} | {english}" if path else f"{chinese} | {english}")
        self.code = code
        self.path = path
        self.chinese = chinese
        self.english = english
