"""The rule language and the canonical model do not get in each other's way."""

from __future__ import annotations

import inspect

from pydantic import BaseModel

from bus.rules.spec import LEAF_KEYS, Node
from consortium.records import model


def test_no_field_of_the_canonical_model_is_a_word_of_the_rule_language() -> None:
    models = [m for _, m in inspect.getmembers(model, inspect.isclass) if issubclass(m, BaseModel)]
    fields = {name for each in models for name in each.model_fields}
    assert "patient" in fields
    assert fields.isdisjoint({*LEAF_KEYS, *Node.model_fields})
