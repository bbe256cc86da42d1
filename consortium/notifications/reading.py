"""Reading the templates and the policy of a folder of rules."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from consortium.errors import PermanentError
from consortium.notifications.templates import Book, Policy, Template, faults

Model = TypeVar("Model", bound=BaseModel)
FOLDER = "notifications"
"""Below the folder of rules."""
POLICY = "policy.yaml"


class TemplatesError(PermanentError):
    """A file cannot be used; the message says which and why. `rules lint` says where."""

    code = "bad_notification_templates"


def has_templates(rules_dir: Path) -> bool:
    """Whether a folder of rules has any: those of before notifications were files have not."""
    return (rules_dir / FOLDER / POLICY).exists()


def load(rules_dir: Path) -> Book:
    """Read them all. Raises TemplatesError for the first file with a mistake."""
    folder = rules_dir / FOLDER
    policy = _read(Policy, folder / POLICY)
    templates = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == POLICY:
            continue
        template = _read(Template, path)
        if template.name != path.stem:
            raise TemplatesError(f"{FOLDER}/{path.name}: its name is not that of its file")
        for at, reason in faults(template, policy):
            raise TemplatesError(f"{FOLDER}/{path.name}: {'.'.join(at)}: {reason}")
        templates[template.name] = template
    return Book(policy, templates)


def _read(model: type[Model], path: Path) -> Model:
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise TemplatesError(f"{FOLDER}/{path.name} is missing in the folder of rules") from None
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise TemplatesError(f"{FOLDER}/{path.name}: {error}") from error
