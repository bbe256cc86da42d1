"""docs/rule-reference.md, made from the specification, the canonical model and the linter's codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from bus.rules.destinations import KINDS
from bus.rules.expression import FUNCTIONS
from bus.rules.finding import CODES
from bus.rules.functions import FUNCTIONS as CALLED
from bus.rules.lint_leaves import VARIABLES
from bus.rules.schema import canonical_models
from bus.rules.sending.base import Breaker, Destination, Retry, Tls
from bus.rules.sending.http import SignIn
from bus.rules.sending.mllp import Batch
from bus.rules.sending.notices import PixNotices
from bus.rules.sending.shape import Fixed, Repeated, Value, Whole
from bus.rules.sending.soap import SoapAnswer, UsernameToken
from bus.rules.sending.tables import Status
from bus.rules.sending.verify import Verify, VerifyRequest
from bus.rules.spec import (
    CONVERTERS_MEAN,
    LEAF_MODELS,
    ON_MISS_MEANS,
    ORDER_MEANS,
    Enclosed,
    Expect,
    Given,
    Meaning,
    Node,
    RuleFile,
    RuleTest,
    Sending,
    SharedFile,
)
from bus.rules.systems import Contract, DeclaredSystem, Named, Owner, Service, SystemsFile

PAGE = "docs/rule-reference.md"
HEAD = """# Rule reference

Made by `./yilian rules docs --write` from the specification of the rule language (`bus/rules/spec.py`), from
which the linter and the editor's schemas come too. How to write one: [connect a campus](connect-a-campus.md).

An editor with yaml-language-server (VS Code's YAML extension, Neovim, Helix, Emacs) completes and checks rule
files by `rules/rule.schema.json`, `rules/shared.schema.json`,
`rules/destination.schema.json` and `rules/systems.schema.json`. VS Code finds them by itself (`.vscode`);
elsewhere write on a file's first line

    # yaml-language-server: $schema=../../rule.schema.json
"""
PATHS = (
    ("HL7 v2", "`PID-3.1`", "component 1 of the first repetition"),
    ("", "`PID-3(2).1`", "the same of the second repetition"),
    ("", "`PID-3[5=NI].1`", "of the repetition whose component 5 is NI"),
    ("", "`PID-3[4.2=1.2.3].1`", "of the repetition whose subcomponent 4.2 is 1.2.3"),
    ("", "`OBX-5`", "the whole field, repetitions on lines of their own"),
    ("", "`OBX` (in `each`)", "each such segment, with the segments that belong to it"),
    (
        "XML (`soap:`, `xml:`, `cda:`)",
        "`病人/姓名`",
        "elements by name below the root, whatever their namespace",
    ),
    ("", "`病人/@性别`", "an attribute"),
    ("", "`*`, `.`", "any element; the element itself"),
    ("", "`#document`", "the whole clinical document as it was sent, in base64 (`cda:`)"),
    ("", "`^/编号`", "of what is around `each`"),
    ("rows, JSON (`rest:`, `table:`, `json:`)", "`patient.name`", "keys"),
    ("", "`items.0.code`", "an element of a list, from 0"),
    ("", "`^.number`", "of what is around `each`"),
)
DESTINATIONS = """## Destinations

A file `rules/destinations/<name>.yaml`: another system to which messages go. How to connect one, with an
example of each kind: [destinations](destinations.md). The value of an argument, a key of `body` or a column
is a path into what the rule sends, or a Value, Fixed, Whole or Repeated, or an object of further names.
"""
SYSTEMS = """## Systems

A file `rules/campuses/<name>/systems.yaml`: the campus's systems, what they give and take, and whose
they are. What is deployed or seen is not written again: [what is connected](systems.md).
"""
SYSTEMS_PARTS: tuple[type[BaseModel], ...] = (SystemsFile, DeclaredSystem, Named, Owner, Service, Contract)
PARTS: tuple[type[BaseModel], ...] = (
    Retry,
    Breaker,
    Tls,
    Batch,
    PixNotices,
    SignIn,
    Verify,
    VerifyRequest,
    UsernameToken,
    SoapAnswer,
    Status,
    Value,
    Fixed,
    Whole,
    Repeated,
)


def reference() -> str:
    """Return the page."""
    paths = "## Paths\n\n" + _table(("messages", "path", "gives"), PATHS)
    leaves = "## Leaves\n\nA value of the canonical model is written as a path, or as one of these.\n"
    model = "## The canonical model\n\n`map` is a `Change`; its `kind` is the rule's.\n"
    return "\n".join(
        [
            HEAD,
            _section("## A rule file", RuleFile),
            _section("### `destinations`", Sending),
            _section("### `document`", Enclosed),
            _section("## A shared file", SharedFile),
            paths,
            leaves,
            *(_section(f"### `{{{', '.join(_keys(leaf))}}}`", leaf) for leaf in LEAF_MODELS),
            _words("### Converters (`as`)", CONVERTERS_MEAN),
            _words("### Unknown codes (`on_miss`)", ON_MISS_MEANS),
            _functions(),
            _section("## Objects", Node),
            _words("## Order (`order`)", ORDER_MEANS),
            _expressions(),
            DESTINATIONS,
            _section("### Every destination", Destination),
            *(
                _section(
                    f"### `kind: {name}`", model, frozenset(Destination.model_fields) - {"resend_ambiguous"}
                )
                for name, model in KINDS.items()
            ),
            *(_section(f"#### {model.__name__}", model) for model in PARTS),
            SYSTEMS,
            *(_section(f"### {each.__name__}", each) for each in SYSTEMS_PARTS),
            _section("## Tests", RuleTest),
            _section("### `given`", Given),
            _section("### `expect`", Expect),
            _section("### `codes`", Meaning),
            model,
            *(_section(f"### {each.__name__}", each) for each in canonical_models()),
            _codes(),
        ]
    )


def _section(title: str, model: type[BaseModel], without: frozenset[str] = frozenset()) -> str:
    schema = model.model_json_schema()
    if "$ref" in schema:
        schema = {**schema["$defs"][schema["$ref"].rpartition("/")[2]], "$defs": schema["$defs"]}
    needed = schema.get("required", [])
    rows = [
        (f"`{name}`", _type(field), "yes" if name in needed else _default(field), _meaning(field))
        for name, field in schema["properties"].items()
        if name not in without
    ]
    said = " ".join((model.__doc__ or "").split())
    return f"{title}\n\n{said}\n\n" + _table(("key", "takes", "needed, or default", "means"), rows)


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _linked(field["$ref"])
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    for form in ("anyOf", "oneOf"):
        if form in field:
            kinds = [_type(one) for one in field[form] if one.get("type") != "null"]
            return _leaf_or(kinds)
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    if field.get("type") == "object":
        inner = field.get("additionalProperties")
        return f"by name: {_type(inner)}" if isinstance(inner, dict) else "object"
    shown = {"string": "text", "boolean": "true, false", "integer": "whole number", "number": "number"}
    return {"date-time": "time", "date": "day", "binary": "bytes"}.get(
        field.get("format", ""), shown.get(field.get("type", ""), "value")
    )


def _leaf_or(kinds: list[str]) -> str:
    if any("PathLeaf" in kind for kind in kinds):
        return "leaf"
    return " or ".join(dict.fromkeys(kinds))


NAMES = {
    "Acknowledgement": "`original`, `enhanced`",
    "Form": "`raw`, `canonical`, `fhir`, `hl7`",
    "Kind": "kind",
    "Node": "object",
    "OnMiss": "policy",
    "Order": "`patient`, `none`",
    "OrderClass": "order",
    "Shape": "shape",
}


def _linked(ref: str) -> str:
    name = ref.rpartition("/")[2]
    return NAMES.get(name, name)


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default is None or isinstance(default, dict) or default in ([], ""):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _meaning(field: Mapping[str, Any]) -> str:
    return str(field.get("description", "")).replace("|", "\\|").replace("\n", " ")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _words(title: str, meanings: Mapping[str, str]) -> str:
    rows = [(f"`{word!s}`", meaning) for word, meaning in meanings.items()]
    return f"{title}\n\n" + _table(("word", "means"), rows)


def _functions() -> str:
    rows = [(f"`{name}`", ", ".join(f.takes), f.meaning) for name, f in CALLED.items()]
    return "### Functions (`call`)\n\n" + _table(("name", "with", "gives"), rows)


def _expressions() -> str:
    variables = ", ".join(f"`msg.{name}`" for name in sorted(VARIABLES))
    functions = ", ".join(f"`{name}`" for name in sorted(FUNCTIONS))
    return (
        "## Expressions\n\n[CEL](https://cel.dev), compiled when the rules are loaded.\n\n"
        f"- Variables: {variables}; in XML also `msg.root`, the name of the root element;"
        " in a rule without a map also `msg.kind`, of the change that is sent on.\n"
        '- `field("PATH")`: the text at a path, empty when it is absent.\n'
        f"- Functions: {functions}.\n"
        "- Macros: `all`, `exists`, `exists_one`, `filter`, `has`, `map`.\n"
    )


def _codes() -> str:
    rows = [(f"`{code}`", kind.severity.value, kind.meaning) for code, kind in sorted(CODES.items())]
    return "## What `rules lint` says\n\n" + _table(("code", "severity", "means"), rows)
