"""Codes of value sets that R4 requires and closes, such as `Patient.gender`: fhir.resources has them and does
not look at them. Where its list is cut short (`+`), any code passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from bus.fhir.reading.issues import Issue

CUT = "+"


def unknown_codes(resource: BaseModel, path: str) -> Iterator[Issue]:
    """Give an issue for each code that its closed value set does not have."""
    known = _closed(type(resource))
    for name in resource.model_fields_set:
        value = getattr(resource, name)
        here = f"{path}.{_alias(type(resource), name)}"
        for place, one in enumerate(value if isinstance(value, list) else [value]):
            where = f"{here}[{place}]" if isinstance(value, list) else here
            if isinstance(one, BaseModel):
                yield from unknown_codes(one, where)
            elif name in known and one is not None and one not in known[name]:
                yield Issue(
                    where, f"R4 has no such code; there are: {', '.join(known[name])}", "code-invalid"
                )


@cache
def _closed(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, field in model.model_fields.items():
        extra: Any = field.json_schema_extra
        values = tuple(extra.get("enum_values", ())) if isinstance(extra, dict) else ()
        # Elsewhere it is words of the title that the library took for codes.
        if values and CUT not in values and field.title == " | ".join(values):
            found[name] = values
    return found


def _alias(model: type[BaseModel], name: str) -> str:
    field = model.model_fields.get(name)
    return (field.alias if field else None) or name
