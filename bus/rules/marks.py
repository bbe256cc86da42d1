"""YAML with the line of every key, so that a mistake is named by file and line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from consortium.errors import PermanentError

Model = TypeVar("Model", bound=BaseModel)
Position = tuple[str | int, ...]


class RuleError(PermanentError):
    """A mistake in a rule file or code table: `file`, `line` and what to do."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file, self.line, self.message = file, line, message


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
    """A YAML document and the lines of its keys."""

    file: str
    data: Any
    lines: dict[Position, int]

    def line(self, position: Sequence[str | int]) -> int:
        """Return the line of a position, or of the nearest thing around it. Steps that YAML does not have are
        skipped.
        """
        at: Position = ()
        for step in position:
            if (*at, step) in self.lines:
                at = (*at, step)
        return self.lines[at]

    def error(self, position: Sequence[str | int], message: str) -> RuleError:
        """Return the error at a position."""
        return RuleError(self.file, self.line(position), message)


def read_marked(path: Path, shown: str) -> Marked:
    """Read a YAML file; `shown` names it in errors. Raises `RuleError`."""
    loader = PlainLoader(path.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        if node is None:
            raise RuleError(shown, 1, "the file is empty")
        lines: dict[Position, int] = {(): 1}
        _walk(node, (), lines, shown)
        return Marked(shown, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleError(shown, line, f"not well-formed YAML: {error.problem}") from error
    finally:
        loader.dispose()


def checked(model: type[Model], marked: Marked) -> Model:
    """Validate a document against its specification. Raises `RuleError` at the first mistake's line."""
    try:
        return model.model_validate(marked.data)
    except ValidationError as error:
        # A key that is spelled wrong is also missing: name what is written before what is not.
        errors = error.errors(include_url=False, include_context=False)
        first = min(errors, key=lambda each: each["type"] == "missing")
        shown = ".".join(str(step) for step in first["loc"])
        raise marked.error(first["loc"], f"{shown}: {first['msg']}") from error


def _walk(node: yaml.Node, at: Position, lines: dict[Position, int], shown: str) -> None:
    if len(at) > 40:
        raise RuleError(shown, node.start_mark.line + 1, "nested too deep: an anchor that contains itself?")
    if isinstance(node, yaml.MappingNode):
        _walk_mapping(node, at, lines, shown)
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            lines[(*at, number)] = child.start_mark.line + 1
            _walk(child, (*at, number), lines, shown)


def _walk_mapping(node: yaml.MappingNode, at: Position, lines: dict[Position, int], shown: str) -> None:
    seen: set[str] = set()
    for key, child in node.value:
        line = key.start_mark.line + 1
        if key.value in seen:
            raise RuleError(shown, line, f"the key {key.value!r} is written twice")
        seen.add(key.value)
        lines[(*at, key.value)] = line
        _walk(child, (*at, key.value), lines, shown)
