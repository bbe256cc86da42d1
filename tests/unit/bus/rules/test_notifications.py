"""`rules lint` finds what a notification may not say, where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.rules.notifications import mistakes
from tests.conftest import CHECKOUT

POLICY = (
    "channels:\n  in_app: [text, person, time]\n  sms: [time]\nlinks: [https://yilian.test/]\n"
    'quiet: {begins: "21:30", ends: "07:30"}\n'
)
TEMPLATE = """name: told
description: An example
variables:
  who: {is: person}
  at: {is: time}
in_app:
  zh: {title: 标题, text: "{who} {at}"}
  en: {title: title, text: "{who} {at}"}
sms:
  zh: {text: "于 {at}"}
  en: {text: "at {at}"}
"""


def found(folder: Path, template: str, policy: str = POLICY, name: str = "told.yaml") -> list[str]:
    (folder / "notifications").mkdir(exist_ok=True)
    (folder / "notifications" / "policy.yaml").write_text(policy, encoding="utf-8")
    (folder / "notifications" / name).write_text(template, encoding="utf-8")
    return [str(one) for one in mistakes(folder)]


def test_what_yilian_comes_with_has_no_mistake() -> None:
    assert list(mistakes(CHECKOUT / "rules")) == []


def test_a_fitting_template_has_none_and_a_folder_may_have_no_templates(tmp_path: Path) -> None:
    assert list(mistakes(tmp_path)) == []
    assert found(tmp_path, TEMPLATE) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "why"),
    [
        ("于 {at}", "{who}", "told.yaml:10:8", "policy.yaml does not let into sms"),
        ("于 {at}", "{at!r}", "told.yaml:10:8", "is no variable"),
        ("于 {at}", "{at.year}", "told.yaml:10:8", "is no variable"),
        ("于 {at}", "{when}", "told.yaml:10:8", "declare it"),
        ("于 {at}", "{at", "told.yaml:10:8", ""),
        ('  en: {text: "at {at}"}\n', "", "told.yaml:9:1", "missing in en"),
        ("title: title, text", "text", "told.yaml:8:3", "has the parts text, title"),
        ("name: told", "name: other", "told.yaml:1:1", "name of its file"),
        ("{is: time}", "{is: moment}", "told.yaml:5:8", "variables.at.is"),
        ("{who} {at}", "{at}", "told.yaml:4:3", "no text uses who"),
        ("description", "descripton", "told.yaml:2:1", "no key of this file"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, where: str, why: str) -> None:
    told = found(tmp_path, TEMPLATE.replace(old, new))
    assert any(one.startswith(f"notifications/{where}") and why in one for one in told), told


def test_without_a_policy_nothing_is_said(tmp_path: Path) -> None:
    found(tmp_path, TEMPLATE)
    (tmp_path / "notifications" / "policy.yaml").unlink()
    assert ["is missing" in str(one) for one in mistakes(tmp_path)] == [True]


def test_a_time_without_quotes_is_a_mistake_not_another_time(tmp_path: Path) -> None:
    (one,) = found(tmp_path, TEMPLATE, POLICY.replace('"21:30"', "21:30"))
    assert "quiet.begins" in one
