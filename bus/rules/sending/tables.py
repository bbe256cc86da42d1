"""A destination that is a table in another system's database."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from bus.rules.sending.base import SecretName
from bus.rules.sending.shape import Leaf, Path
from bus.rules.sending.verify import Verify
from bus.rules.sending.written import WrittenDestination
from bus.rules.spec import Closed, Scalar

Column = Annotated[str, StringConstraints(pattern=r"^[^\W\d][\w$#]*$", max_length=128)]
TableName = Annotated[str, StringConstraints(pattern=r"^[^\W\d][\w$#.]*$", max_length=257)]


class Status(Closed):
    """The column by which a reader of the table marks what it has done."""

    column: Column
    new: Scalar = Field(default=0, description="written with a row that is new or has changed")


class TablesDestination(WrittenDestination):
    """Rows in an open table, written over by their business key."""

    kind: Literal["tables"]
    database: SecretName = Field(
        description="name of the database's URL in the setting delivery_secrets; never the URL"
    )
    table: TableName = Field(description="table, or schema.table")
    key: tuple[Column, ...] = Field(
        min_length=1, description="columns of a unique key: a row with the same values is written over"
    )
    columns: dict[Column, Leaf] = Field(min_length=1, description="the value of each, the key's among them")
    each: tuple[Path, ...] = Field(
        default=(),
        description="a row for each such part of the message; a second path is followed in each part",
    )
    status: Status | None = None
    zone: str = Field(default="Asia/Shanghai", description="IANA zone of times in columns that keep no zone")
    resend_ambiguous: bool = Field(
        default=True,
        description="writing a row twice is writing it once: what was not confirmed is written again",
    )

    verify: Verify | None = Field(
        default=None,
        description="what was not confirmed is looked for in the table, and not written again; then"
        " resend_ambiguous is false",
    )

    @property
    def address(self) -> str:
        """What is shown of where it goes."""
        return f"{self.database}/{self.table}"

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{zone} is no time zone; write one as Asia/Shanghai") from error
        return zone

    @model_validator(mode="after")
    def _mapped(self) -> Self:
        if missing := [name for name in self.key if name not in self.columns]:
            raise ValueError(f"key {', '.join(missing)} is not under columns: say where its value is from")
        if self.status and self.status.column in self.columns:
            raise ValueError(f"{self.status.column} is the status column: take it out of columns")
        if len(set(self.key)) < len(self.key):
            raise ValueError("a column of the key is named twice")
        return self
