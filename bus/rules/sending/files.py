"""A destination that is a folder: a file for each message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from bus.rules.sending.base import SecretName
from bus.rules.sending.verify import INSERTED, Verify
from bus.rules.sending.written import WrittenDestination

OF_ROW = frozenset({"control_id", "delivery_id", "message_id"})
"""Values that every message has, whatever its body."""


class FilesDestination(WrittenDestination):
    """A file for each message, in a folder or an SFTP directory."""

    kind: Literal["files"]
    place: SecretName = Field(
        description="name of the folder in the setting file_places, which has its address and sign-in"
    )
    file: Annotated[str, StringConstraints(pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$")] = Field(
        description="the file's name; {control_id}, {message_id} and {delivery_id} in it are the message's,"
        " any other {PATH} its value there; it must be another for each message"
    )
    temporary: Annotated[str, StringConstraints(pattern=r"^\.[A-Za-z0-9._-]{1,20}$")] | None = Field(
        default=None,
        description="what ends the name while it is written, as .part; absent: the name is hidden by a dot",
    )
    resend_ambiguous: bool = Field(
        default=True,
        description="writing a file twice is writing it once: what was not confirmed is written again",
    )

    verify: Verify | None = Field(
        default=None,
        description="what was not confirmed is looked for there, and not written again; then resend_ambiguous"
        " is false",
    )

    @property
    def address(self) -> str:
        """What is shown of where it goes."""
        return f"{self.place}/{self.file}"

    @field_validator("file")
    @classmethod
    def _of_the_message(cls, file: str) -> str:
        if not INSERTED.search(file):
            raise ValueError("every message would have the same name: write {control_id} or a path into it")
        if "{" in (rest := INSERTED.sub("", file)) or "}" in rest:
            raise ValueError("a brace is not closed or not opened: write {control_id}.hl7")
        return file

    @property
    def paths(self) -> Iterator[str]:
        """The paths into the message by which a file is named."""
        return (path for path in INSERTED.findall(self.file) if path not in OF_ROW)
