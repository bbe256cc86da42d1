"""The one specification of a rule file's fields: what the loader checks, the linter says, editors complete
and docs/rule-reference.md tells. After a change: `yilian rules schema --write`, `yilian rules docs --write`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
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
CONVERTERS_MEAN: Mapping[str, str] = {
    "text": "the text as sent",
    "date": "a day, `YYYYMMDD` or `YYYY-MM-DD`; a time after it is left away",
    "datetime": "a time, HL7 TS/DTM or ISO 8601; in Asia/Shanghai where it names no zone",
    "decimal": "a plain decimal number; anything else holds the message",
    "integer": "a whole number; anything else holds the message",
    "number": "a plain decimal number; nothing where the text is none",
    "name": "a person's name from an XPN `family^given`; Chinese is joined without a space",
    "staff_name": "a person's name from an XCN `number^family^given`",
    "bool": "yes: 1, Y, YES, T, TRUE, 是; no: 0, N, NO, F, FALSE, 否",
    "base64": "the bytes that base64 stands for",
    "bytes": "the text as UTF-8 bytes",
}


class OnMiss(enum.StrEnum):
    """What becomes of a code that its table does not know. Every miss is counted in `bus.unmapped`."""

    REJECT = "reject"
    HOLD = "hold"
    PASS = "pass"  # noqa: S105 - a policy, not a password
    DEFAULT = "default"


ON_MISS_MEANS: Mapping[str, str] = {
    OnMiss.REJECT: "the message is held aside and nobody waits behind it; the sender must send again",
    OnMiss.HOLD: "the message is held until the table knows the code and it is replayed",
    OnMiss.PASS: "the code goes on as sent",
    OnMiss.DEFAULT: "the leaf's `default` stands for it",
}


class OrderClass(enum.StrEnum):
    """What a message waits behind."""

    IDENTITY = "identity"
    VISIT = "visit"
    RESULT = "result"


ORDER_MEANS: Mapping[str, str] = {
    OrderClass.IDENTITY: "keeps the patient's order; it changes who the patient is",
    OrderClass.VISIT: "keeps the patient's order",
    OrderClass.RESULT: "passes held messages of its patient when the patient is known",
}


AS = "converter; by default the one of the field's type"


class Closed(BaseModel):
    """Closed: a key nobody knows is a spelling mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class PathLeaf(Closed):
    """A value of the message, converted, or mapped by a code table."""

    path: Path = Field(description="where the value is in the message")
    as_: Converter | None = Field(default=None, alias="as", description=AS)
    lookup: str | None = Field(default=None, description="code table, `rules/codes/<table>.csv`")
    on_miss: OnMiss = Field(default=OnMiss.HOLD, description="what becomes of a code that the table lacks")
    default: Scalar = Field(
        default=None, description="for an absent value, and for a miss under `on_miss: default`"
    )


class ConstLeaf(Closed):
    """A fixed value."""

    const: Scalar = Field(description="the value")


class CelLeaf(Closed):
    """The value of a CEL expression over `msg` and `field("PATH")`."""

    cel: str = Field(description="the expression; an empty text is no value")
    as_: Converter | None = Field(default=None, alias="as", description=AS)


class JoinLeaf(Closed):
    """The values of repeated parts as one text."""

    each: Path = Field(description="the repeated parts")
    path: Path = Field(description="where the value is in each part")
    join: str = Field(description="what stands between them")
    when: str | None = Field(default=None, description="CEL, asked of each part")
    as_: Converter | None = Field(default=None, alias="as", description=AS)


class TemplateLeaf(Closed):
    """Text made of values of the message."""

    template: str = Field(
        min_length=1,
        description="`{PATH}` stands for a value, `{{` and `}}` for braces; nothing where all are absent",
    )
    as_: Converter | None = Field(default=None, alias="as", description=AS)


class CallLeaf(Closed):
    """The value of a reviewed function of the platform."""

    call: str = Field(description="its name")
    with_: list[Entry] = Field(alias="with", min_length=1, description="leaves, its arguments as texts")
    as_: Converter | None = Field(default=None, alias="as", description=AS)


class RecordLeaf(Closed):
    """A value that the consortium's records have of the campus's patient, visit or order: enrichment."""

    record: Literal["patient", "encounter", "order"] = Field(description="what is looked up")
    number: Entry = Field(description="leaf: the number that the campus knows it by")
    field: Path = Field(description="of the canonical model, such as `department.code`")
    as_: Converter | None = Field(default=None, alias="as", description=AS)
    default: Scalar = Field(default=None, description="where the records do not have it")
    required: bool = Field(
        default=False, description="whether the message is held where they do not; nobody waits behind it"
    )


class FirstLeaf(Closed):
    """The first of several leaves that has a value."""

    first: list[Entry] = Field(min_length=1, description="leaves, asked in this order")


LEAF_MODELS = (PathLeaf, ConstLeaf, CelLeaf, TemplateLeaf, CallLeaf, RecordLeaf, JoinLeaf, FirstLeaf)
"""Every form of a leaf but the bare path."""

FORMS: Mapping[str, str] = {
    "template": "template",
    "call": "call",
    "record": "record",
    "first": "first",
    "join": "join",
    "path": "leaf",
    "const": "const",
    "cel": "cel",
}
"""Form of a leaf by the key that tells it."""
LEAF_KEYS = tuple(FORMS)
"""A key that makes a mapping a leaf and not an object; no field of the canonical model has such a name."""


class Node(BaseModel):
    """An object of the canonical model: other keys are its fields. It is left out where the message has no
    value for any.
    """

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
            TemplateLeaf: "template",
            CallLeaf: "call",
            RecordLeaf: "record",
        }.get(type(value), "node")
    if isinstance(value, dict):
        return next((form for key, form in FORMS.items() if key in value), "node")
    return "node"


Entry = Annotated[
    Annotated[Path, Tag("path")]
    | Annotated[PathLeaf, Tag("leaf")]
    | Annotated[ConstLeaf, Tag("const")]
    | Annotated[CelLeaf, Tag("cel")]
    | Annotated[JoinLeaf, Tag("join")]
    | Annotated[FirstLeaf, Tag("first")]
    | Annotated[TemplateLeaf, Tag("template")]
    | Annotated[CallLeaf, Tag("call")]
    | Annotated[RecordLeaf, Tag("record")]
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
    FHIR = "fhir"
    """What is known of it once it is recorded, as a FHIR R4 Bundle."""
    HL7 = "hl7"
    """The same as an HL7 v2 message, whatever it came in as."""


class Sending(Closed):
    """That messages of a rule go to another system, too."""

    to: DestinationName = Field(description="rules/destinations/<name>.yaml")
    when: str | None = Field(default=None, description="CEL, as `match`: only where this is true")
    send: Form = Field(
        default=Form.RAW,
        description="the bytes as they came, or what the rule made of them: as JSON, FHIR or HL7 v2",
    )


Naming = Annotated[
    Annotated[DestinationName, Tag("name")] | Annotated[Sending, Tag("sending")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "sending"),
]
"""A destination by its name alone, or with what is to be said."""


class Enclosed(Closed):
    """A clinical document inside a message of another kind, such as an HL7 v2 MDM."""

    path: Path = Field(description="where it is, in base64: `OBX-5.5`")
    patient: Path = Field(description="the message's patient number, which the document's must be: `PID-3.1`")


Fate = Literal["delivered", "parked", "retried", "ambiguous"]
"""What becomes of a delivery after one try."""


class Given(Closed):
    """The message of a test: one of `text`, `file` (beside the rule file) or `json`."""

    text: str | None = Field(default=None, description="the message; line ends of HL7 are made CR")
    file: str | None = Field(default=None, description="a file beside the rule file")
    json_: dict[str, Any] | None = Field(default=None, alias="json", description="a JSON body or table row")
    charset: str = Field(default="utf-8", description="Python codec name")
    type: str | None = Field(default=None, description="message type; by default MSH-9 of an HL7 message")
    sender: str | None = Field(default=None, description="by default MSH-3 of an HL7 message")


class Expect(Closed):
    """What the rules must make of it. What is not named is not compared."""

    rule: str | None = Field(default=None, description="name of the rule that takes the message")
    kind: Kind | None = Field(default=None, description="kind of the change")
    change: dict[str, Any] | None = Field(
        default=None, description="part of the change, as JSON; lists wholly"
    )
    changes: list[dict[str, Any]] | None = Field(
        default=None, description="part of each change of a message that is split, in order"
    )
    held: str | None = Field(default=None, description="code of the reason")
    field: str | None = Field(default=None, description="field that a held message names")
    unmapped: list[str] | None = Field(default=None, description="codes no table knew")
    warnings: list[str] | None = Field(default=None, description="ids of the assertions that warned")
    destinations: list[str] | None = Field(default=None, description="where it goes, in the rule's order")
    sent: dict[DestinationName, Any] | None = Field(
        default=None,
        description="part of what goes to each destination: of the JSON, the arguments or the list of rows;"
        " of HL7 and XML a value by path, `{PID-3.1: M1}`; of a message that is split a list of these",
    )
    deliveries: dict[DestinationName, Fate] | None = Field(
        default=None, description="what becomes of the first try, by the test's `answers`"
    )


class Meaning(Closed):
    """What a code means in the consortium, as a line of a code table says it."""

    code: str = Field(min_length=1, description="the consortium's code")
    name: str | None = Field(default=None, description="its name")
    system: str | None = Field(default=None, description="its code system")


class RuleTest(Closed):
    """One test of a rule, kept beside it."""

    name: str = Field(description="what it shows, in a sentence")
    given: Given = Field(description="the message")
    codes: dict[str, dict[str, str | Meaning]] = Field(
        default_factory=dict,
        description="tables that stand for the shared ones in this test: table, code, and what it means",
    )
    records: dict[str, dict[str, dict[str, Any]]] = Field(
        default_factory=dict,
        description="what the records have in this test: `encounter: {V1: {department: {code: 0101}}}`",
    )
    answers: dict[DestinationName, str | int] = Field(
        default_factory=dict,
        description="what each destination answers in this test, to which nothing is sent: `timeout`,"
        " `unreachable`, over MLLP `AA`, `AE`, `AR`, `CA`, `CE`, `CR`, over HTTP a status, a table `written`",
    )
    expect: Expect = Field(description="what must come of it")


class RuleFile(Closed):
    """One rule: which messages of a campus it is for, and what they say."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"map": ["kind"], "kind": ["map"]}})

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        description="unique among all rules; small letters, digits, - and _"
    )
    facility: Annotated[str, StringConstraints(min_length=1)] = Field(description="campus code, such as MAIN")
    description: str = Field(min_length=1, description="what it is for, for the reviewer")
    match: str = Field(description="CEL; of a campus's rules the first in file order that is true decides")
    order: OrderClass | None = Field(default=None, description="by default from the `kind`")
    waits: bool | None = Field(
        default=None,
        description="whether it waits behind a held message of its patient; by default results do not",
    )
    blocks: bool = Field(
        default=True, description="whether the patient's later messages wait when it is held"
    )
    kind: Kind | None = Field(default=None, description="what the change is about; with `map`")
    version: Entry | None = Field(
        default=None, description="orders two versions of one record: a table's updated_at"
    )
    document: Enclosed | None = Field(
        default=None,
        description="a clinical document (CDA) that the message encloses; `version`, `schematron`, `xslt` and"
        " `map` read it in the message's place",
    )
    schematron: list[str] = Field(
        default_factory=list,
        description="ISO Schematron files under `rules/schematron`; an XML message that breaks an assertion"
        " is held, and nobody waits behind it, unless its `role` is `warning`",
    )
    xslt: str | None = Field(
        default=None,
        description="XSLT 1.0 file under `rules/xslt`; `map` reads what it makes of an XML message",
    )
    include: list[str] = Field(default_factory=list, description="files under `rules/shared`")
    map: Node | None = Field(
        default=None,
        description="the change, an object of the canonical model; with `each`, a change for each of these"
        " parts, of its own patient; absent: the rule only sends on what is written over FHIR",
    )
    destinations: list[Naming] = Field(
        default_factory=list, description="where the message goes, too; a name alone sends it as it came"
    )
    tests: list[RuleTest] = Field(default_factory=list, description="run by `yilian rules test`")

    @property
    def sendings(self) -> list[Sending]:
        """The destinations, each in its long form."""
        return [Sending(to=one) if isinstance(one, str) else one for one in self.destinations]


class SharedFile(Closed):
    """Parts of maps that several rules use."""

    description: str = Field(min_length=1, description="what they are for")
    fragments: dict[str, Node] = Field(description="by name, for `use`")


for _model in (FirstLeaf, CallLeaf, RecordLeaf, Node, RuleFile, SharedFile):
    _model.model_rebuild()
