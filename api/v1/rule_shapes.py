"""What `/api/v1/rules` takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from bus.rules.versions.model import Action

DIGEST = "1f0c6f1d6a1e" + "0" * 52
_RULE = (
    "name: main-patient\nfacility: MAIN\ndescription: HIS adds patients\n"
    'match: msg.type == "ADT^A28"\nkind: patient\nmap:\n  patient: {number: PID-3.1}\n'
)
_FILES: JsonDict = {"campuses/main/12-patient.yaml": _RULE}
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps no NUL in text."""
_NAME = "beginning of a digest, `active` or `previous`"


class Version(BaseModel):
    """One stored rule set."""

    digest: str = Field(description="SHA-256 over its paths and contents", examples=[DIGEST])
    created_at: datetime
    author: str = Field(examples=["engineer"])
    note: str = Field(examples=["血钾代码改用新码表"])
    rules: int = Field(examples=[31])
    tests: int = Field(description="all passed", examples=[63])


class Activation(BaseModel):
    """One line of the ledger: from then on this set decides."""

    id: int
    at: datetime
    digest: str = Field(examples=[DIGEST])
    action: Action
    author: str = Field(examples=["engineer"])
    note: str


class Versions(BaseModel):
    """Stored versions and the ledger, newest first."""

    active: str | None = Field(description="digest of the active set", examples=[DIGEST])
    versions: list[Version]
    activations: list[Activation]


class RouterRules(BaseModel):
    """What the router says of its rules."""

    rules: str | None = Field(description="beginning of the digest it decides by", examples=[DIGEST[:12]])
    not_loaded: str = Field(description="sets that it could not load; empty when all is well")
    age: float = Field(description="seconds since it said so")


class ActiveRules(BaseModel):
    """How the rules stand."""

    active: Activation | None
    drifted: bool = Field(description="whether the server's checkout has other rules")
    differs: list[str] = Field(description="the checkout's files that are not as in the active set")
    router: RouterRules | None


class RuleFiles(BaseModel):
    """A rule set, whole."""

    files: dict[str, str] = Field(description="path below rules/ to text", examples=[_FILES])
    binary: dict[str, Base64Bytes] = Field(
        default_factory=dict, description="path to Base64, for what is no UTF-8 text"
    )

    def contents(self) -> dict[str, bytes]:
        """Return path to content."""
        # JSON may hold halves of characters: they become bytes that the check refuses by name.
        texts = {path: text.encode(errors="surrogatepass") for path, text in self.files.items()}
        return {**texts, **self.binary}


class ShownVersion(Version, RuleFiles):
    """One stored rule set with its files."""


class FileChange(BaseModel):
    """One file that is not the same in both."""

    path: str = Field(examples=["codes/main-lab-items.csv"])
    change: Literal["added", "removed", "changed"]
    diff: str = Field(description="unified; empty where a side is no text")


class Differences(BaseModel):
    """What differs between two sets."""

    before: str = Field(examples=[DIGEST])
    after: str = Field(examples=[DIGEST])
    files: list[FileChange]


class Deployment(RuleFiles):
    """A rule set to check and to make the active one."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"files": _FILES, "note": "新增患者规则"}]}
    )

    note: str = Field(default="", max_length=2000, pattern=NO_NUL)
    expected: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="digest that must still be the active one; otherwise 409",
    )


class Rollback(BaseModel):
    """An earlier set to make the active one again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": "previous"}]})

    version: str = Field(default="previous", max_length=64, description=_NAME)
    note: str = Field(default="", max_length=2000, pattern=NO_NUL)


class Activated(BaseModel):
    """What was done."""

    digest: str = Field(examples=[DIGEST])
    previous: str | None = Field(description="the set that was active before it")
    changed: bool = Field(description="false: that set was active already")


class Backtest(BaseModel):
    """A changed set, uploaded or stored, and the messages to run it over."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"since": "2026-11-20T00:00:00+08:00", "version": "previous"}]},
    )

    since: AwareDatetime
    changed: RuleFiles | None = Field(default=None, description="the changed set; or give `version`")
    version: str | None = Field(default=None, max_length=64, description=_NAME)
    against: str = Field(default="active", max_length=64, description=_NAME)
    facility: str | None = Field(default=None, max_length=20, pattern=NO_NUL, examples=["MAIN"])
    limit: int = Field(default=500, ge=1, le=2000)
    after: int = Field(default=0, ge=0, description="`next` of the call before")


class Difference(BaseModel):
    """One kind of difference; no values of messages."""

    what: Literal["outcome", "rule", "field", "order", "unmapped", "destination", "warning"]
    rule: str = Field(examples=["main-lab-report"])
    field: str = Field(examples=["reports[].results[].unit"])
    before: str = Field(examples=["held unmapped_code at PID-8"])
    after: str = Field(examples=["recorded"])
    count: int = Field(examples=[12])
    messages: list[str] = Field(description="the first message ids", examples=[["4711", "4712"]])


class BacktestReport(BaseModel):
    """What would differ."""

    before: str = Field(examples=[DIGEST])
    after: str = Field(examples=[DIGEST])
    stored: int = Field(description="messages since then")
    read: int
    different: int
    dropped: int = Field(description="of those read, how many have no body any more (retention)")
    next: int | None = Field(description="give it as `after` to go on; null at the end")
    differences: list[Difference]
