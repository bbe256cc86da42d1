"""Delimiters and escape sequences (HL7 v2.5 §2.5.4 and §2.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from bus.hl7.problem import REQUIRED_FIELD, HL7Error


@dataclass(frozen=True)
class Delimiters:
    """The separators that a message declares in MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @classmethod
    def of(cls, msh: str) -> Delimiters:
        """Read them from the text of a segment MSH. Raises HL7Error when they are missing or not distinct."""
        field, encoding = msh[3:4], msh[4:].split(msh[3:4] or "|", 1)[0]
        return _declared(field, encoding)

    @cached_property
    def _escapes(self) -> dict[int, str]:
        e = self.escape
        names = {self.field: "F", self.component: "S", self.subcomponent: "T", self.repetition: "R", e: "E"}
        controls = {code: f"{e}X{code:02X}{e}" for code in range(32) if code != 9}
        return controls | {10: f"{e}.br{e}"} | {ord(c): f"{e}{name}{e}" for c, name in names.items() if c}

    @cached_property
    def _sequence(self) -> re.Pattern[str]:
        e = re.escape(self.escape)
        hexadecimal = rf"(?:{e}X(?:[0-9A-Fa-f]{{2}})+{e})+"
        return re.compile(
            rf"({hexadecimal})|{e}([FSTREPHN]|\.(?:br|fi|nf|ce|(?:sp|sk|in|ti)[+-]?[0-9]{{0,3}})){e}"
        )

    def escaped(self, text: str) -> str:
        """Escape a value, so that it stands in any place of a message and comes back as it was."""
        return text.translate(self._escapes) if self.escape else text

    def unescaped(self, text: str, codec: str = "utf-8") -> str:
        r"""Resolve escape sequences; `\Xhh\` are bytes of `codec`. What is none, such as a path of Windows,
        stays.
        """
        if not self.escape or self.escape not in text:
            return text
        return self._sequence.sub(lambda found: self._resolved(found, codec), text)

    def _resolved(self, found: re.Match[str], codec: str) -> str:
        if found[1]:
            digits = found[1].replace(f"{self.escape}X", "").replace(self.escape, "")
            try:
                return bytes.fromhex(digits).decode(codec)
            except UnicodeDecodeError:
                return found[0]
        command = found[2]
        if command[0] == ".":
            return _formatting(command[1:])
        plain = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
        }
        return plain.get(command, "#" if command == "P" else "")


def _formatting(command: str) -> str:
    name, count = command[:2], command[2:].lstrip("+-")
    if name in {"br", "ce"}:
        return "\n"
    if name == "sp":
        return "\n" * int(count or 1)
    return " " * int(count or 1) if name == "sk" else ""


@lru_cache(maxsize=64)
def _declared(field: str, encoding: str) -> Delimiters:
    chosen = field + encoding[:4]
    if len(chosen) < 2 or len(set(chosen)) != len(chosen) or any(c.isalnum() or c.isspace() for c in chosen):
        reason = "MSH-1 and MSH-2 must hold distinct delimiters, such as |^~\\&"
        raise HL7Error("delimiters", reason, REQUIRED_FIELD, "MSH-2")
    return Delimiters(chosen[0], chosen[1], *(chosen[i : i + 1] for i in (2, 3, 4)))


STANDARD = Delimiters()
