"""What is wrong with the templates of notifications and their policy, for `rules lint` and `rules deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bus.rules.marks import Place, RuleError, read_marked, validated
from consortium.notifications.reading import FOLDER, POLICY
from consortium.notifications.templates import Policy, Template, faults

CODE = "notification-template"


def mistakes(rules_dir: Path) -> Iterator[RuleError]:
    """Find what is wrong in rules/notifications; a folder without it tells in the application alone."""
    folder = rules_dir / FOLDER
    if not folder.is_dir():
        return
    try:
        marked = read_marked(folder / POLICY, f"{FOLDER}/{POLICY}")
    except FileNotFoundError:
        yield RuleError(f"{FOLDER}/{POLICY}", Place(1), "is missing: nothing says what may go out", CODE)
        return
    except RuleError as error:
        yield error
        return
    errors: list[RuleError] = []
    policy = validated(Policy, marked, errors)
    yield from errors
    for path in sorted(folder.glob("*.yaml")):
        if path.name != POLICY:
            yield from _of(path, policy)


def _of(path: Path, policy: Policy | None) -> Iterator[RuleError]:
    """Give the mistakes of one template."""
    errors: list[RuleError] = []
    try:
        marked = read_marked(path, f"{FOLDER}/{path.name}")
    except RuleError as error:
        yield error
        return
    template = validated(Template, marked, errors)
    yield from errors
    if template is None:
        return
    if template.name != path.stem:
        yield marked.error(("name",), f"the name is {template.name}: give it the name of its file", CODE)
    if policy is not None:
        for at, reason in faults(template, policy):
            yield marked.error(at, reason, CODE)
