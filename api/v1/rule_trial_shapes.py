"""What lint, test, explain and preview of `/api/v1/rules` take and give."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from api.v1.rule_shapes import DIGEST, NO_NUL, RuleFiles

_NAME = "a stored one: beginning of a digest, `active` or `previous`"
_STRICT = ConfigDict(extra="forbid")


class Given(BaseModel):
    """A message that is not stored; HL7 v2 says most of it itself."""

    model_config = _STRICT

    content: Base64Bytes = Field(description="its bytes")
    charset: str = Field(default="utf-8", max_length=40, examples=["gb18030"])
    facility: str = Field(default="", max_length=20, pattern=NO_NUL, examples=["MAIN"])
    type: str = Field(default="", max_length=100, pattern=NO_NUL, examples=["ORU^R01", "soap:patient"])
    sender: str = Field(default="", max_length=200, pattern=NO_NUL)
    protocol: str = Field(default="", max_length=20, pattern=NO_NUL, examples=["mllp"])


class Chosen(BaseModel):
    """A rule set."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": "active"}]})

    changed: RuleFiles | None = Field(default=None, description="an uploaded set; or give `version`")
    version: str = Field(default="active", max_length=64, description=_NAME)


class Tests(Chosen):
    """A rule set, and which of its tests to run."""

    names: list[str] = Field(
        default_factory=list, max_length=100, description="rules, campus codes or campus folders; empty: all"
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="percent of a rule's branches that its tests must go through; otherwise it is in `below`",
    )


class Asked(Chosen):
    """A rule set and one message."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"message": "4711"}]})

    message: str | None = Field(default=None, pattern=r"^\d{1,18}$", description="inbox id; or give `given`")
    given: Given | None = None
    values: bool = Field(
        default=False, description="show what the message says; needs a permission given by name"
    )


class Compared(Asked):
    """Two rule sets and one message."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"message": "4711", "version": "previous"}]}
    )

    against: str = Field(default="active", max_length=64, description="compare with " + _NAME)


class Found(BaseModel):
    """One thing that lint says."""

    file: str = Field(examples=["campuses/main/12-patient.yaml"])
    line: int
    column: int
    code: str = Field(examples=["unknown-field"])
    severity: Literal["error", "warning", "info"]
    message: str


class Linted(BaseModel):
    """What lint found, by file and line. Only errors keep a set from being deployed."""

    digest: str = Field(examples=[DIGEST])
    passed: bool
    rules: int
    tables: int
    findings: list[Found]


class Outcome(BaseModel):
    """What became of one test."""

    file: str
    line: int
    rule: str
    test: str
    passed: bool
    differences: list[str]
    seconds: float


class Branch(BaseModel):
    """A branch that no test goes through."""

    file: str
    line: int
    column: int
    field: str
    what: str


class Covered(BaseModel):
    """How much of a rule its tests go through."""

    rule: str
    branches: int
    covered: int
    percent: float = Field(examples=[92.3])
    missing: list[Branch]


class Tested(BaseModel):
    """What the tests came to."""

    digest: str = Field(examples=[DIGEST])
    passed: bool
    errors: list[Found] = Field(description="why the set could not be loaded; then no test ran")
    outcomes: list[Outcome]
    coverage: list[Covered]
    below: list[str] = Field(description="rules whose tests go through too few branches; `passed` is false")


class Explained(BaseModel):
    """Why rules do with a message what they do."""

    digest: str = Field(examples=[DIGEST])
    explanation: dict[str, Any] = Field(
        description="as `./yilian rules explain --json` has it: each rule and the parts of its condition,"
        " what each leaf read and gave, outcome, hold, destinations"
    )


class Difference(BaseModel):
    """One field that differs."""

    field: str = Field(examples=["decision.outcome", "reports[1].status"])
    what: Literal["added", "removed", "changed"]
    before: Any
    after: Any


class Previewed(BaseModel):
    """What another set makes of a message that is not the same."""

    before: str = Field(examples=[DIGEST])
    after: str = Field(examples=[DIGEST])
    differences: list[Difference]
