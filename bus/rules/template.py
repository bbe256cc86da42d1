"""Text made of values of the message: `{PID-11.4}{PID-11.3} {PID-11.1}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bus.sources.source import Source

PART = re.compile(r"\{\{|\}\}|\{(?P<path>[^{}]+)\}|(?P<text>[^{}]+)")


class TemplateError(ValueError):
    """A template that is not well-formed; `column` is where, from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Template:
    """A template, read once."""

    parts: tuple[tuple[str, bool], ...]
    """Each a text, or (True) a path."""

    @property
    def paths(self) -> list[str]:
        """The paths that it asks for."""
        return [text for text, is_path in self.parts if is_path]

    def fill(self, source: Source) -> str | None:
        """Return the text; an absent value is empty, and where all are absent there is no text."""
        found = {path: source.get(path) for path in self.paths}
        if not any(found.values()):
            return None
        return "".join((found[text] or "") if is_path else text for text, is_path in self.parts)


def read_template(text: str) -> Template:
    """Read `{PATH}`, with `{{` and `}}` for braces. Raises `TemplateError`."""
    parts: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        match = PART.match(text, at)
        if match is None:
            reason = "a brace without its other one: write {PATH}, or {{ and }} for braces themselves"
            raise TemplateError(reason, at + 1)
        path = match["path"]
        parts.append((path.strip(), True) if path else (match["text"] or match.group()[0], False))
        at = match.end()
    template = Template(tuple(parts))
    if not template.paths:
        raise TemplateError("no {PATH} in it: write const for a fixed text", 1)
    return template
