"""The one specification of a rule file's fields: what the loader checks, the linter says and editors
complete.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from consortium.records.model import Kind

Scalar = str | int | float | bool | None
Path = Annotated[str, StringConstraints(min_length=1)]
Converter = Literal[
    "text",
    "date",
    "datetime",
    "decimal",
    "integer",
    "number",
    "name",
    "staff_name",
    "bool",
    "base64",
    "bytes",
]
"""`number` gives nothing for what is no plain number; `name` reads an XPN, `staff_name` an XCN after its
number.
"""


class OnMiss(enum.StrEnum):
    """What becomes of a code that its table does not know. Every miss is counted in `bus.unmapped`."""

    REJECT = "reject"
    """The message is held aside: nobody waits behind it, the sender must correct and send again."""
    HOLD = "hold"
    """The message is held until the table knows the code and it is replayed."""
    PASS = "pass"  # noqa: S105 - a policy, not a password
    """The code goes on as sent."""
    DEFAULT = "default"
    """The leaf's `default` stands for it."""


class OrderClass(enum.StrEnum):
    """What a message waits behind: identity and visits keep the patient's order, results only need the
    patient.
    """

    IDENTITY = "identity"
    VISIT = "visit"
    RESULT = "result"


class Closed(BaseModel):
    """Closed: a key nobody knows is a spelling mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class PathLeaf(Closed):
    """A value of the message, converted, or mapped by a code table."""

    path: Path
    as_: Converter | None = Field(default=None, alias="as", description="None: by the target field's type")
    lookup: str | None = Field(default=None, description="code table, rules/codes/<table>.csv")
    on_miss: OnMiss = OnMiss.HOLD
    default: Scalar = Field(
        default=None, description="for an absent value, and for a miss under on_miss: default"
    )


class ConstLeaf(Closed):
    """A fixed value."""

    const: Scalar


class CelLeaf(Closed):
    """The value of a CEL expression over `msg` and `field("PATH")`."""

    cel: str
    as_: Converter | None = Field(default=None, alias="as")


class JoinLeaf(Closed):
    """The values of repeated parts as one text."""

    each: Path
    path: Path
    join: str = Field(description="what stands between them")
    when: str | None = Field(default=None, description="CEL, asked of each part")
    as_: Converter | None = Field(default=None, alias="as")


class FirstLeaf(Closed):
    """The first of several leaves that has a value."""

    first: list[Entry] = Field(min_length=1)


LEAF_KEYS = ("first", "join", "path", "const", "cel")
"""A key that makes a mapping a leaf and not an object; no field of the canonical model has such a name."""


class Node(BaseModel):
    """An object of the canonical model. Keys other than these three are its fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        json_schema_extra={"not": {"anyOf": [{"required": [key]} for key in LEAF_KEYS]}},
    )
    __pydantic_extra__: dict[str, Entry]

    each: Path | None = Field(default=None, description="one object for each of these parts")
    when: str | None = Field(default=None, description="CEL: only where this is true")
    use: str | None = Field(
        default=None, description="a fragment of an included file; keys here go before its keys"
    )


def _form(value: Any) -> str:
    if isinstance(value, str):
        return "path"
    if isinstance(value, list):
        return "nodes"
    if isinstance(value, BaseModel):
        return {
            PathLeaf: "leaf",
            ConstLeaf: "const",
            CelLeaf: "cel",
            JoinLeaf: "join",
            FirstLeaf: "first",
        }.get(type(value), "node")
    if isinstance(value, dict):
        for key, form in (
            ("first", "first"),
            ("join", "join"),
            ("path", "leaf"),
            ("const", "const"),
            ("cel", "cel"),
        ):
            if key in value:
                return form
    return "node"


Entry = Annotated[
    Annotated[Path, Tag("path")]
    | Annotated[PathLeaf, Tag("leaf")]
    | Annotated[ConstLeaf, Tag("const")]
    | Annotated[CelLeaf, Tag("cel")]
    | Annotated[JoinLeaf, Tag("join")]
    | Annotated[FirstLeaf, Tag("first")]
    | Annotated[Node, Tag("node")]
    | Annotated[list[Node], Tag("nodes")],
    Discriminator(_form),
]


DestinationName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Form(enum.StrEnum):
    """What of a message is sent on."""

    RAW = "raw"
    """The bytes as they came."""
    CANONICAL = "canonical"
    """What the rule made of it, as JSON."""


class Sending(Closed):
    """That messages of a rule go to another system, too."""

    to: DestinationName = Field(description="rules/destinations/<name>.yaml")
    when: str | None = Field(default=None, description="CEL, as `match`: only where this is true")
    send: Form = Form.RAW


Naming = Annotated[
    Annotated[DestinationName, Tag("name")] | Annotated[Sending, Tag("sending")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "sending"),
]
"""A destination by its name alone, or with what is to be said."""


class Given(Closed):
    """The message of a test: one of `text`, `file` (beside the rule file) or `json`."""

    text: str | None = None
    file: str | None = None
    json_: dict[str, Any] | None = Field(default=None, alias="json")
    charset: str = Field(default="utf-8", description="Python codec name")
    type: str | None = Field(default=None, description="message type; by default MSH-9 of an HL7 message")
    sender: str | None = Field(default=None, description="by default MSH-3 of an HL7 message")


class Expect(Closed):
    """What the rules must make of it. What is not named is not compared."""

    rule: str | None = None
    kind: Kind | None = None
    change: dict[str, Any] | None = Field(
        default=None, description="part of the change, as JSON; lists wholly"
    )
    held: str | None = Field(default=None, description="code of the reason")
    field: str | None = Field(default=None, description="field that a held message names")
    unmapped: list[str] | None = Field(default=None, description="codes no table knew")
    destinations: list[str] | None = Field(default=None, description="where it goes, in the rule's order")


class RuleTest(Closed):
    """One test of a rule, kept beside it."""

    name: str
    given: Given
    expect: Expect


class RuleFile(Closed):
    """One rule: which messages of a campus it is for, and what they say."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    facility: Annotated[str, StringConstraints(min_length=1)]
    description: str = Field(min_length=1)
    match: str = Field(description='CEL over msg (type, sender, facility, protocol) and field("PATH")')
    order: OrderClass | None = Field(default=None, description="by default from the kind")
    waits: bool | None = Field(
        default=None,
        description="whether it waits behind a held message of its patient; by default results do not",
    )
    blocks: bool = Field(
        default=True, description="whether the patient's later messages wait when it is held"
    )
    kind: Kind
    version: Entry | None = Field(
        default=None, description="orders two versions of one record: a table's updated_at"
    )
    include: list[str] = Field(default_factory=list, description="files under rules/shared")
    map: Node
    destinations: list[Naming] = Field(
        default_factory=list, description="where the message goes, too; a name alone sends it as it came"
    )
    tests: list[RuleTest] = Field(default_factory=list)

    @property
    def sendings(self) -> list[Sending]:
        """The destinations, each in its long form."""
        return [Sending(to=one) if isinstance(one, str) else one for one in self.destinations]


class SharedFile(Closed):
    """Parts of maps that several rules use."""

    description: str = Field(min_length=1)
    fragments: dict[str, Node]


for _model in (FirstLeaf, Node, RuleFile, SharedFile):
    _model.model_rebuild()
