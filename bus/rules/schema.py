"""JSON Schemas of the files of rules, for editors: they know every field of the model.

Made from the specification (`bus.rules.spec`) and the canonical model; kept in the repository where editors
find them, as `FILES` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Discriminator, TypeAdapter

from bus.rules.destinations import AnyDestination
from bus.rules.functions import FUNCTIONS
from bus.rules.sending.shape import FORM_KEYS
from bus.rules.spec import CONVERTERS_MEAN, LEAF_MODELS, ON_MISS_MEANS, ORDER_MEANS, RuleFile, SharedFile
from bus.rules.systems import SystemsFile
from bus.rules.target import target_of
from consortium.records.model import Change
from consortium.referral.capabilities import Capabilities
from consortium.scheduling.calendar_file import CalendarFile
from runtime.campuses import Campus

FILES: Mapping[str, str] = {
    "rule": "rule.schema.json",
    "shared": "shared.schema.json",
    "destination": "destination.schema.json",
    "systems": "systems.schema.json",
    "campus": "campus.schema.json",
    "calendar": "calendar.schema.json",
    "capabilities": "capabilities.schema.json",
}
"""Where each schema lies in the folder of the rules."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
LEAVES = tuple(leaf.__name__ for leaf in LEAF_MODELS)
LEAF = {"$ref": "#/$defs/Leaf"}


def schema_of(name: str) -> dict[str, Any]:
    """Return the schema of that name in `FILES`."""
    made = {
        "rule": rule_schema,
        "shared": shared_schema,
        "destination": destination_schema,
        "systems": systems_schema,
        "campus": campus_schema,
        "calendar": calendar_schema,
        "capabilities": capabilities_schema,
    }
    return made[name]()


def systems_schema() -> dict[str, Any]:
    """Return the schema of `rules/campuses/*/systems.yaml`."""
    return {
        "$schema": DIALECT,
        **SystemsFile.model_json_schema(),
        "title": "The systems of a campus of Yilian",
    }


def campus_schema() -> dict[str, Any]:
    """Return the schema of a `rules/campuses/<name>/campus.yaml`."""
    return {"$schema": DIALECT, **Campus.model_json_schema(), "title": "A campus of Yilian"}


def calendar_schema() -> dict[str, Any]:
    """Return the schema of a `rules/calendars/<name>.yaml`."""
    return {
        "$schema": DIALECT,
        **CalendarFile.model_json_schema(),
        "title": "A working calendar of Yilian",
    }


def capabilities_schema() -> dict[str, Any]:
    """Return the schema of a `rules/campuses/<name>/capabilities.yaml`."""
    return {
        "$schema": DIALECT,
        **Capabilities.model_json_schema(),
        "title": "What a campus of Yilian is registered and equipped for",
    }


def destination_schema() -> dict[str, Any]:
    """Return the schema of a file under `rules/destinations`: by its kind."""
    made: dict[str, Any] = TypeAdapter(Annotated[AnyDestination, Discriminator("kind")]).json_schema()
    for form in made["$defs"]["Shape"]["oneOf"]:
        if form.get("type") == "object":  # of further names: not a misspelt one of the other forms
            form["not"] = {"anyOf": [_written(key) for key in FORM_KEYS]}
    return {"$schema": DIALECT, "title": "A destination of Yilian", **made}


def rule_schema() -> dict[str, Any]:
    """Return the schema of a rule file."""
    made = _base(RuleFile, "A rule of Yilian")
    made["properties"]["map"] = _object(Change)
    made["properties"]["version"] |= {"anyOf": [LEAF, {"type": "null"}]}
    return made


def shared_schema() -> dict[str, Any]:
    """Return the schema of a file under `rules/shared`: its fragments are any objects of the model."""
    made = _base(SharedFile, "Parts of rules of Yilian")
    objects = [_object(model) for model in canonical_models()]
    made["properties"]["fragments"] |= {"additionalProperties": {"anyOf": objects}}
    return made


def _written(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "object"}}}}


def as_text(schema: Mapping[str, Any]) -> str:
    """Return a schema as it is kept in the repository."""
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def _base(model: type[BaseModel], title: str) -> dict[str, Any]:
    made = RuleFile.model_json_schema() if model is RuleFile else _shared()
    defs = made["$defs"]
    control = defs.pop("Node")["properties"]
    defs["FirstLeaf"]["properties"]["first"]["items"] = LEAF
    defs["CallLeaf"]["properties"]["with"]["items"] = LEAF
    defs["RecordLeaf"]["properties"]["number"] = LEAF
    defs["CallLeaf"]["properties"]["call"] |= {
        "enum": list(FUNCTIONS),
        "enumDescriptions": [function.meaning for function in FUNCTIONS.values()],
    }
    defs["Leaf"] = {
        "description": "A path into the message, or one of the forms of a leaf.",
        "anyOf": [{"type": "string", "minLength": 1}, *({"$ref": f"#/$defs/{name}"} for name in LEAVES)],
    }
    for each in canonical_models():
        defs[_name(each)] = _of_model(each, control)
    _describe(defs)
    return {"$schema": DIALECT, **made, "title": title, "$defs": dict(sorted(defs.items()))}


def _shared() -> dict[str, Any]:
    made = SharedFile.model_json_schema()
    leaves = RuleFile.model_json_schema()["$defs"]
    return {**made, "$defs": {**made["$defs"], "OrderClass": leaves["OrderClass"]}}


def _describe(defs: dict[str, Any]) -> None:
    """Say what each word means, in the form that editors show beside it."""
    for name, meanings in (("OnMiss", ON_MISS_MEANS), ("OrderClass", ORDER_MEANS)):
        defs[name]["enumDescriptions"] = [meanings[word] for word in defs[name]["enum"]]
    for name in LEAVES:
        for choice in defs[name]["properties"].get("as", {}).get("anyOf", ()):
            if "enum" in choice:
                choice["enumDescriptions"] = [CONVERTERS_MEAN[word] for word in choice["enum"]]


def canonical_models() -> list[type[BaseModel]]:
    """Return the models of the canonical model, the change first."""
    found: list[type[BaseModel]] = []
    waiting: list[type[BaseModel]] = [Change]
    while waiting:
        model = waiting.pop(0)
        if model not in found:
            found.append(model)
            targets = (target_of(info.annotation).model for info in model.model_fields.values())
            waiting.extend(target for target in targets if target is not None)
    return found


def _name(model: type[BaseModel]) -> str:
    return f"{model.__name__}Map"


def _object(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{_name(model)}"}


def _of_model(model: type[BaseModel], control: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: _field(model, name) for name in model.model_fields}
    return {
        "description": (model.__doc__ or "").strip(),
        "type": "object",
        "properties": {**control, **fields},
        "additionalProperties": False,
    }


def _field(model: type[BaseModel], name: str) -> dict[str, Any]:
    info = model.model_fields[name]
    target = target_of(info.annotation)
    described = {"description": info.description} if info.description else {}
    if target.model is None:
        return {**LEAF, **described}
    one = _object(target.model)
    return {"anyOf": [one, {"type": "array", "items": one}], **described} if target.many else one | described
