"""What people are told, in reviewed files: rules/notifications/*.yaml, and what may go into which channel.

A template declares its variables, each of a kind. The policy (`policy.yaml`) says which kinds a channel
takes. Kinds other than `person` and `text` have closed forms (a time, a code that is looked up, a word of a
list), so that neither a name nor a diagnosis fits into them.
"""

from __future__ import annotations

import enum
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consortium.notifications.model import Channel


class Kind(enum.StrEnum):
    """What a variable may hold."""

    NUMBER = "number"
    """A whole number."""
    TIME = "time"
    """A moment, in ISO 8601 with its zone; shown in the consortium's zone."""
    DAY = "day"
    """A day, YYYY-MM-DD."""
    CAMPUS = "campus"
    """A campus code, shown by its name."""
    DEPARTMENT = "department"
    """CAMPUS/code of the master data, shown by its name."""
    REFERENCE = "reference"
    """A number of ours, such as of a referral; refused where it looks like an ID card or a telephone."""
    LINK = "link"
    """An address below one of the policy's `links`."""
    WORD = "word"
    """One of the words that the template lists."""
    PERSON = "person"
    """The id of a golden person, shown by their name: patient data."""
    TEXT = "text"
    """Free text: taken for patient data."""


FIELDS: Mapping[Channel, frozenset[str] | None] = {
    Channel.IN_APP: frozenset({"title", "text"}),
    Channel.SMS: frozenset({"text"}),
    Channel.EMAIL: frozenset({"title", "text"}),
    Channel.WECHAT: None,
}
"""The parts of a text in each channel; None: those that the provider's template has."""
TITLED = "title"

Said = Annotated[str, Field(min_length=1, max_length=4000)]
Wording = dict[Literal["zh", "en"], dict[str, Said]]
"""By language, by part: text in which {name} stands for a variable."""


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Closed):
    """A word in both languages."""

    zh: Said
    en: Said


class Variable(_Closed):
    """One variable of a template."""

    kind: Kind = Field(alias="is")
    meaning: str = ""
    words: dict[str, Words] = {}
    """Of the kind `word`: each by what a notice gives for it."""

    @model_validator(mode="after")
    def _words_where_they_belong(self) -> Self:
        if bool(self.words) != (self.kind is Kind.WORD):
            raise ValueError("words: a variable of the kind word has some, and no other kind has")
        return self


class WeChat(_Closed):
    """A template message."""

    template: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    """Name by which the setting wechat_templates has the provider's id of it."""
    link: str = ""
    """Name of the variable of kind `link` that opens on touch."""
    wording: Wording


class Template(_Closed):
    """One file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    description: Said
    urgent: bool = False
    """Whether it is sent in quiet hours, and beyond the limit of a recipient."""
    expires_hours: Annotated[float, Field(gt=0, le=24 * 90)] = 24.0
    """After which it is of no use any more and is not sent."""
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Variable] = {}
    in_app: Wording
    sms: Wording | None = None
    wechat: WeChat | None = None
    email: Wording | None = None

    @property
    def outward(self) -> tuple[Channel, ...]:
        """The channels beside the application."""
        has = {Channel.SMS: self.sms, Channel.WECHAT: self.wechat, Channel.EMAIL: self.email}
        return tuple(channel for channel, wording in has.items() if wording is not None)

    def wording(self, channel: Channel) -> Wording | None:
        """Return the texts of a channel; None: it is not told there."""
        match channel:
            case Channel.IN_APP:
                return self.in_app
            case Channel.SMS:
                return self.sms
            case Channel.EMAIL:
                return self.email
            case Channel.WECHAT:
                return self.wechat.wording if self.wechat else None


Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Quiet(_Closed):
    """Hours in which nobody is disturbed by what is not urgent, local time; they may pass midnight."""

    begins: Clock = "21:30"
    ends: Clock = "07:30"


class Policy(_Closed):
    """rules/notifications/policy.yaml."""

    channels: dict[Channel, frozenset[Kind]]
    """The kinds of variables that a channel takes."""
    hospitals: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_-]{0,19}$")], Words] = {}
    """Names of hospitals that are no campuses (联盟医院), by code, for variables of the kind campus."""
    links: tuple[Annotated[str, Field(pattern=r"^https?://[^\s{}]+/$")], ...] = ()
    """Beginnings of the addresses that a link may have."""
    hourly: dict[Literal["sms", "wechat", "email"], Annotated[int, Field(ge=1)]] = {}
    """Most that are sent to one recipient in an hour, unless they are urgent."""
    quiet: Quiet | None = None
    """Of who has chosen no quiet hours."""
    sms_longest: Annotated[int, Field(ge=20, le=1000)] = 134
    """Characters of one text."""


@dataclass(frozen=True, slots=True)
class Book:
    """All templates, by name, and the policy."""

    policy: Policy
    templates: Mapping[str, Template] = field(default_factory=dict)


def placeholders(said: str) -> list[str]:
    """Return the variables that a text names. Raises ValueError for braces that do not fit together."""
    found = []
    for _, name, form, conversion in string.Formatter().parse(said):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is no variable: write {{name}}, and {{{{ for a brace")
        found.append(name)
    return found


Fault = tuple[tuple[str, ...], str]
"""Where in the file, and what is wrong there."""


def faults(template: Template, policy: Policy) -> Iterator[Fault]:
    """Give what is wrong with a template that is well-formed."""
    for channel in (Channel.IN_APP, *template.outward):
        wording = template.wording(channel) or {}
        at: tuple[str, ...] = (channel.value,)
        if channel is Channel.WECHAT:
            at = (*at, "wording")
        yield from _languages(wording, at)
        for language, parts in wording.items():
            yield from _parts(channel, parts, (*at, language))
            for part, said in parts.items():
                yield from _said(template, policy, channel, said, (*at, language, part))
    yield from _link(template)
    yield from _idle(template)


def _languages(wording: Wording, at: tuple[str, ...]) -> Iterator[Fault]:
    missing = {"zh", "en"} - set(wording)
    if missing:
        yield at, f"the text is missing in {', '.join(sorted(missing))}: both languages are read"
    elif set(wording["zh"]) != set(wording["en"]):
        yield at, "zh and en have other parts: give both the same"


def _parts(channel: Channel, parts: Mapping[str, str], at: tuple[str, ...]) -> Iterator[Fault]:
    wanted = FIELDS[channel]
    if wanted is not None and set(parts) != wanted:
        yield at, f"{channel.value} has the parts {', '.join(sorted(wanted))}"


def _said(
    template: Template, policy: Policy, channel: Channel, said: str, at: tuple[str, ...]
) -> Iterator[Fault]:
    try:
        names = placeholders(said)
    except ValueError as error:
        yield at, str(error)
        return
    allowed = policy.channels.get(channel, frozenset())
    for name in names:
        variable = template.variables.get(name)
        if variable is None:
            yield at, f"{{{name}}} is not among the variables: declare it, or correct its name"
        elif variable.kind not in allowed:
            yield (
                at,
                f"{{{name}}} is of the kind {variable.kind.value}, which policy.yaml does not let into"
                f" {channel.value}: say it without, or change the policy",
            )


def _link(template: Template) -> Iterator[Fault]:
    if template.wechat is None or not template.wechat.link:
        return
    variable = template.variables.get(template.wechat.link)
    if variable is None or variable.kind is not Kind.LINK:
        yield ("wechat", "link"), "names no variable of the kind link"


def _idle(template: Template) -> Iterator[Fault]:
    used = {template.wechat.link} if template.wechat else set()
    for channel in (Channel.IN_APP, *template.outward):
        for parts in (template.wording(channel) or {}).values():
            for said in parts.values():
                try:
                    used.update(placeholders(said))
                except ValueError:
                    return  # told where it stands
    for name in template.variables.keys() - used:
        yield ("variables", name), f"no text uses {name}: take it out"
