"""YAML with the place of every key, so that a mistake is named by file, line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from consortium.errors import PermanentError

Model = TypeVar("Model", bound=BaseModel)
Position = tuple[str | int, ...]
_CODES: Mapping[str, str] = {
    "extra_forbidden": "unknown-key",
    "missing": "missing-key",
    "literal_error": "unknown-word",
    "enum": "unknown-word",
}
"""Code of a mistake, by what the specification finds wrong."""
MOST_NODES = 100_000
"""Keys and elements of one file, with what its anchors repeat."""


class Place(NamedTuple):
    """Where something is written; both count from 1."""

    line: int
    column: int = 1


class RuleError(PermanentError):
    """A mistake in a rule file or code table: where it is, which kind (`code`), and what to do."""

    def __init__(self, file: str, place: Place, message: str, code: str) -> None:
        super().__init__(f"{file}:{place.line}:{place.column}: {message}")
        self.file, self.place, self.message, self.code = file, place, message, code

    @property
    def line(self) -> int:
        """The line, from 1."""
        return self.place.line


class PlainLoader(yaml.SafeLoader):
    """YAML in which only true and false are booleans and a date is text: a column may be named `no`."""


PlainLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))


@dataclass(frozen=True, slots=True)
class Marked:
    """A YAML document, and where its keys and its texts are."""

    file: str
    data: Any
    keys: Mapping[Position, Place]
    texts: Mapping[Position, Place]
    """First character of each text that is written on one line or as a block `|`."""

    def place(self, position: Sequence[str | int]) -> Place:
        """Return the place of a position, or of the nearest thing around it. Steps that YAML does not have
        are skipped.
        """
        at: Position = ()
        for step in position:
            if (*at, step) in self.keys:
                at = (*at, step)
        return self.keys[at]

    def line(self, position: Sequence[str | int]) -> int:
        """Return the line of a position, as `place` finds it."""
        return self.place(position).line

    def inside(self, position: Position, line: int, column: int) -> Place:
        """Return the place of a character inside the text at a position, counted from its first as 1, 1."""
        start = self.texts.get(position)
        if start is None:
            return self.place(position)
        return Place(start.line + line - 1, start.column + column - 1)

    def error(self, position: Sequence[str | int], message: str, code: str = "bad-key") -> RuleError:
        """Return the error at a position."""
        return RuleError(self.file, self.place(position), message, code)


def read_marked(path: Path, shown: str) -> Marked:
    """Read a YAML file; `shown` names it in errors. Raises `RuleError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RuleError(shown, Place(1), "not UTF-8: save the file as UTF-8", "bad-yaml") from error
    loader = PlainLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise RuleError(shown, Place(1), "the file is empty", "bad-yaml")
        walk = _Walk(shown, text.splitlines())
        walk.keys[()] = Place(1)
        walk.node(node, ())
        return Marked(shown, loader.construct_document(node), walk.keys, walk.texts)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1)
        raise RuleError(shown, place, f"not well-formed YAML: {error.problem}", "bad-yaml") from error
    except yaml.reader.ReaderError as error:
        raise RuleError(shown, Place(1), f"not well-formed YAML: {error.reason}", "bad-yaml") from error
    finally:
        loader.dispose()


def validated(model: type[Model], marked: Marked, errors: list[RuleError]) -> Model | None:
    """Validate a document against its specification; every mistake is added to `errors`."""
    try:
        return model.model_validate(marked.data)
    except ValidationError as error:
        # A key that is spelled wrong is also missing: name what is written before what is not.
        found = error.errors(include_url=False, include_context=False)
        errors.extend(
            marked.error(each["loc"], _said(each, marked), _CODES.get(each["type"], "bad-key"))
            for each in sorted(found, key=lambda one: one["type"] == "missing")
        )
        return None


def checked(model: type[Model], marked: Marked) -> Model:
    """Validate a document as `validated` does. Raises `RuleError` at the first mistake's place."""
    errors: list[RuleError] = []
    found = validated(model, marked, errors)
    if found is None:
        raise errors[0]
    return found


def _said(error: ErrorDetails, marked: Marked) -> str:
    shown = ".".join(map(str, _written(error["loc"], marked))) or marked.file
    if error["type"] == "extra_forbidden":
        known = "docs/rule-reference.md lists those of rules"
        return f"{shown}: no key of this file ({known}); correct it or take it out"
    if error["type"] == "missing":
        return f"{shown}: is missing"
    return f"{shown}: {error['msg']}"


def _written(location: Sequence[str | int], marked: Marked) -> list[str | int]:
    """Return the steps that the file has, and the last: between them stand names of the model's own forms."""
    at: Position = ()
    for step in location[:-1]:
        if (*at, step) in marked.keys:
            at = (*at, step)
    return [*at, *location[-1:]]


class _Walk:
    """Notes where things are while it goes through a document."""

    def __init__(self, shown: str, lines: Sequence[str]) -> None:
        self.shown = shown
        self.lines = lines
        self.keys: dict[Position, Place] = {}
        self.texts: dict[Position, Place] = {}

    def node(self, node: yaml.Node, at: Position) -> None:
        if len(at) > 40:
            reason = "nested too deep: an anchor that contains itself?"
            raise RuleError(self.shown, _start(node), reason, "bad-yaml")
        if len(self.keys) > MOST_NODES:
            reason = "too many parts: anchors that multiply each other?"
            raise RuleError(self.shown, _start(node), reason, "bad-yaml")
        if isinstance(node, yaml.MappingNode):
            self._mapping(node, at)
        elif isinstance(node, yaml.SequenceNode):
            for number, child in enumerate(node.value):
                self.keys[(*at, number)] = _start(child)
                self.node(child, (*at, number))
        elif isinstance(node, yaml.ScalarNode):
            self._text(node, at)

    def _mapping(self, node: yaml.MappingNode, at: Position) -> None:
        seen: set[str] = set()
        for key, child in node.value:
            if key.value in seen:
                reason = f"the key {key.value!r} is written twice"
                raise RuleError(self.shown, _start(key), reason, "duplicate-key")
            seen.add(key.value)
            self.keys[(*at, key.value)] = _start(key)
            self.node(child, (*at, key.value))

    def _text(self, node: yaml.ScalarNode, at: Position) -> None:
        start = _start(node)
        if node.style == "|" and start.line < len(self.lines):
            first = self.lines[start.line]
            self.texts[at] = Place(start.line + 1, len(first) - len(first.lstrip()) + 1)
        elif node.start_mark.line == node.end_mark.line:
            self.texts[at] = Place(start.line, start.column + (node.style in ("'", '"')))


def _start(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
