"""From a template and the values of a notice to the words that go out. Pure but for the names it asks for.

The policy is kept here a second time: a value whose kind a channel does not take is never written into it,
whatever the file says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from consortium.errors import PermanentError
from consortium.notifications.model import Channel, Language, Value
from consortium.notifications.templates import TITLED, Book, Kind, Template, Variable, placeholders

ZONE = ZoneInfo("Asia/Shanghai")
LONGEST = 2000
"""Characters of a free text."""
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_PERSONAL = re.compile(r"(?<!\d)(\d{17}[\dXx]|\d{15}|1[3-9]\d{9})(?!\d)")
"""ID cards of 18 and 15 digits, mobile telephones."""
_FORMS = {"zh": ("%m月%d日 %H:%M", "%Y年%m月%d日"), "en": ("%d %b %H:%M", "%d %b %Y")}


class RenderError(PermanentError):
    """It cannot be said; the text names the variable and never its value."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Names(Protocol):
    """Looks names up when something is sent, so that no row holds them."""

    def campus(self, code: str, language: Language) -> str | None:
        """Return the name of a campus."""
        ...

    def department(self, facility: str, code: str) -> str | None:
        """Return the name of a department of a campus, or of the consortium."""
        ...

    def person(self, id_: UUID) -> str | None:
        """Return the name of a golden person."""
        ...


@dataclass(frozen=True, slots=True)
class Rendering:
    """What all of one text is made with."""

    book: Book
    language: Language
    names: Names

    def parts(self, template: Template, channel: Channel, values: Mapping[str, Value]) -> dict[str, str]:
        """Return the parts of a channel's text by name. Raises RenderError."""
        wording = template.wording(channel)
        if wording is None:
            raise RenderError("no_wording", f"the template {template.name} has no text for {channel.value}")
        said = wording["en"] if self.language == "en" else wording["zh"]
        made = {part: self._filled(template, channel, text, values) for part, text in said.items()}
        if TITLED in made:
            made[TITLED] = " ".join(made[TITLED].split())
        longest = self.book.policy.sms_longest
        if channel is Channel.SMS and len(made["text"]) > longest:
            raise RenderError(
                "too_long", f"the text has more than {longest} characters: shorten the template"
            )
        return made

    def value(self, template: Template, channel: Channel, name: str, values: Mapping[str, Value]) -> str:
        """Return one variable as it is shown. Raises RenderError."""
        variable = template.variables.get(name)
        if variable is None:
            raise RenderError("unknown_variable", f"{name} is no variable of {template.name}")
        if variable.kind not in self.book.policy.channels.get(channel, frozenset()):
            raise RenderError(
                "forbidden_variable",
                f"{name} is of the kind {variable.kind.value}, which may not go into {channel.value}",
            )
        if name not in values:
            raise RenderError("missing_value", f"the notice gives no {name}")
        shown = _SHOWN[variable.kind](self, variable, str(values[name]))
        if shown is None:
            raise RenderError(
                "bad_value", f"what the notice gives for {name} is no {variable.kind.value}, or is unknown"
            )
        return shown

    def _filled(self, template: Template, channel: Channel, text: str, values: Mapping[str, Value]) -> str:
        names = dict.fromkeys(placeholders(text))
        return text.format_map({name: self.value(template, channel, name, values) for name in names})

    def number(self, _: Variable, value: str) -> str | None:
        """Show a whole number."""
        return str(int(value)) if re.fullmatch(r"-?\d{1,9}", value) else None

    def time(self, _: Variable, value: str) -> str | None:
        """Show a moment; one without a zone is none."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        return moment.astimezone(ZONE).strftime(_FORMS[self.language][0])

    def day(self, _: Variable, value: str) -> str | None:
        """Show a day."""
        try:
            return date.fromisoformat(value).strftime(_FORMS[self.language][1])
        except ValueError:
            return None

    def campus(self, _: Variable, value: str) -> str | None:
        """Show the name of a campus."""
        partner = self.book.policy.hospitals.get(value)
        if partner is None:
            return self.names.campus(value, self.language)
        return partner.en if self.language == "en" else partner.zh

    def department(self, _: Variable, value: str) -> str | None:
        """Show the name of a department."""
        facility, slash, code = value.partition("/")
        return self.names.department(facility, code) if slash else None

    def reference(self, _: Variable, value: str) -> str | None:
        """Show a number of ours."""
        return value if _REFERENCE.fullmatch(value) and not _PERSONAL.search(value) else None

    def link(self, _: Variable, value: str) -> str | None:
        """Show an address of ours."""
        ours = any(value.startswith(beginning) for beginning in self.book.policy.links)
        return (
            value if ours and re.fullmatch(r"[!-~]{1,300}", value) and not _PERSONAL.search(value) else None
        )

    def word(self, variable: Variable, value: str) -> str | None:
        """Show a word of the template's list."""
        words = variable.words.get(value)
        if words is None:
            return None
        return words.en if self.language == "en" else words.zh

    def person(self, _: Variable, value: str) -> str | None:
        """Show somebody's name."""
        try:
            return self.names.person(UUID(value))
        except ValueError:
            return None

    def text(self, _: Variable, value: str) -> str | None:
        """Show free text without control characters."""
        kept = "".join(c for c in value if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf"))
        return kept if len(kept) <= LONGEST else None


_SHOWN: Mapping[Kind, Callable[[Rendering, Variable, str], str | None]] = {
    Kind.NUMBER: Rendering.number,
    Kind.TIME: Rendering.time,
    Kind.DAY: Rendering.day,
    Kind.CAMPUS: Rendering.campus,
    Kind.DEPARTMENT: Rendering.department,
    Kind.REFERENCE: Rendering.reference,
    Kind.LINK: Rendering.link,
    Kind.WORD: Rendering.word,
    Kind.PERSON: Rendering.person,
    Kind.TEXT: Rendering.text,
}
