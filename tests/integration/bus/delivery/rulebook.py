"""The real rules with two destinations added, as an engineer would add them."""

from __future__ import annotations

import shutil
from pathlib import Path

from runtime.settings import CHECKOUT

WARD = """
name: ward
description: the ward's system
facility: HP
kind: mllp
address: 127.0.0.1:{port}
timeout_seconds: 30
"""
HOOK = """
name: hook
description: a portal
facility: GROUP
kind: webhook
address: http://127.0.0.1:{port}/hook
secret: hook
"""
NAMED = """
destinations:
  - ward
  - {to: hook, when: 'field("PID-8") == "F"', send: canonical}
"""


def rulebook(folder: Path, ward: int = 9, hook: int = 9) -> Path:
    """Return a copy of the rules in which patients and merges of the main campus go to a ward and a hook."""
    rules = folder / "rules"
    shutil.copytree(CHECKOUT / "rules", rules)
    (rules / "destinations").mkdir(exist_ok=True)
    (rules / "destinations" / "ward.yaml").write_text(WARD.format(port=ward))
    (rules / "destinations" / "hook.yaml").write_text(HOOK.format(port=hook))
    for name, added in (("12-patient", NAMED), ("13-merge", "\ndestinations: [ward]\n")):
        path = rules / "campuses" / "main" / f"{name}.yaml"
        path.write_text(path.read_text(encoding="utf-8") + added, encoding="utf-8")
    return rules
