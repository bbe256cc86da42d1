"""The model as a file: JSON, one model, in force until another is put in its place."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from consortium.errors import PermanentError
from consortium.identity.matching.model import FIELDS, Level, Model

SHIPPED = Path(__file__).parents[3] / "rules" / "identity" / "model.json"
"""The model that is in force."""


class ModelError(PermanentError):
    """A file that holds no model."""


@lru_cache(maxsize=1)
def active() -> Model:
    """Return the model in force, read once in a process.

    Raises:
        ModelError: see `load`.
    """
    return load(SHIPPED)


def load(path: Path) -> Model:
    """Read a model.

    Raises:
        ModelError: the file is not there, no JSON, or no model; the message says where and why.
    """
    try:
        return _model(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: no matching model ({error}): put the file of a trained one there"
        ) from error


def dump(model: Model, path: Path) -> None:
    """Write a model, in one step: who reads meanwhile reads the old one."""
    written = path.with_suffix(".new")
    written.write_text(json.dumps(asdict(model), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    written.replace(path)


def _model(said: dict[str, Any]) -> Model:
    fields = {
        field: {name: Level(float(at["m"]), float(at["u"])) for name, at in said["fields"][field].items()}
        for field in FIELDS
    }
    return Model(
        version=str(said["version"]),
        prior=float(said["prior"]),
        automatic=float(said["automatic"]),
        review=float(said["review"]),
        fields=fields,
        frequencies=said["frequencies"],
        block_limit=int(said["block_limit"]),
        numbers=int(said.get("numbers", Model.numbers)),
    )
