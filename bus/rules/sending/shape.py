"""How a message becomes what a receiver takes: a tree of names, whose leaves are read from the message.

Paths are those of rules: of the message as it came (`PID-3.1`, `患者信息/姓名`, `patient.name`), or of the
canonical change where the rule sends that (`change.patient.name`, `source.facility`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, StringConstraints, Tag
from typing_extensions import TypeAliasType

from bus.rules.spec import Closed, Converter, Scalar

Path = Annotated[str, StringConstraints(min_length=1)]


class Value(Closed):
    """One value of the message, when more is to be said than its path."""

    path: Path
    as_: Converter | None = Field(
        default=None, alias="as", description="converter, as in rules; by default text"
    )
    default: Scalar = Field(default=None, description="where the message has none")
    needed: bool = Field(default=False, description="a message without it is parked")


class Fixed(Closed):
    """A value that is always the same."""

    const: Scalar


class Whole(Closed):
    """The whole message in one value: how many services take HL7 or XML."""

    message: Literal["text", "base64"]


class Repeated(Closed):
    """A list: one element for each part of the message."""

    each: Path = Field(description="as in rules: a segment, an element, a key of a list")
    of: Shape = Field(description="one element; `^` leads to what is around the part")


FORM_KEYS = {"path": "value", "const": "fixed", "message": "whole", "each": "repeated"}
"""What tells the forms apart; with an object as its value such a key is a name of the receiver's."""


def _form(value: Any) -> str:
    if isinstance(value, Value | Fixed | Whole | Repeated):
        return type(value).__name__.lower()
    if not isinstance(value, Mapping):
        return "path"
    for key, form in FORM_KEYS.items():
        if key in value and not isinstance(value[key], Mapping):
            return form
    return "object"


if TYPE_CHECKING:
    Shape: TypeAlias = str | Value | Fixed | Whole | Repeated | dict[str, "Shape"]
else:
    Shape = TypeAliasType(
        "Shape",
        Annotated[
            Annotated[Path, Tag("path")]
            | Annotated[Value, Tag("value")]
            | Annotated[Fixed, Tag("fixed")]
            | Annotated[Whole, Tag("whole")]
            | Annotated[Repeated, Tag("repeated")]
            | Annotated[dict[str, "Shape"], Tag("object")],
            Discriminator(_form),
        ],
    )
"""A path, one of the forms above, or an object of further names."""
Object: TypeAlias = dict[str, Shape]
Leaf = Annotated[
    Annotated[Path, Tag("path")]
    | Annotated[Value, Tag("value")]
    | Annotated[Fixed, Tag("fixed")]
    | Annotated[Whole, Tag("whole")],
    Discriminator(_form),
]
"""One value."""


def outer_paths(shape: Shape) -> Iterator[str]:
    """Return the paths of a shape that begin at the message itself, not at a part of it."""
    match shape:
        case str():
            yield shape
        case Value():
            yield shape.path
        case Repeated():
            yield shape.each
        case dict():
            for inner in shape.values():
                yield from outer_paths(inner)
