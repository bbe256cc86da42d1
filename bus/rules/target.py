"""What a field of the canonical model takes, from its annotation."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from pydantic import BaseModel

BY_TYPE: Mapping[str, str] = {
    "date": "date",
    "datetime": "datetime",
    "Decimal": "decimal",
    "int": "integer",
    "bool": "bool",
    "bytes": "bytes",
}
"""Converter of a leaf that names none, by the type of its field."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a canonical field takes."""

    model: type[BaseModel] | None
    many: bool
    converter: str


def target_of(annotation: Any) -> Target:
    """Return what a field of the canonical model takes, from its annotation."""
    for part in parts_of(annotation):
        origin = typing.get_origin(part)
        if origin is tuple:
            inner = target_of(typing.get_args(part)[0])
            return Target(inner.model, many=True, converter=inner.converter)
        if isinstance(part, type) and issubclass(part, BaseModel):
            return Target(part, many=False, converter="text")
        name = getattr(part, "__name__", "")
        if name in BY_TYPE:
            return Target(None, many=False, converter=BY_TYPE[name])
        if name == "AwareDatetime":
            return Target(None, many=False, converter="datetime")
    return Target(None, many=False, converter="text")


def parts_of(annotation: Any) -> list[Any]:
    """Return the types that an annotation is made of, without None and what constrains them."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return parts_of(typing.get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [p for a in typing.get_args(annotation) if a is not type(None) for p in parts_of(a)]
    return [annotation]
