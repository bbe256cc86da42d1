"""What goes out: only what a channel may say, in the recipient's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.notifications.model import OUTWARD, Channel, Value
from consortium.notifications.reading import load
from consortium.notifications.rendering import RenderError, Rendering
from consortium.notifications.templates import Book, Kind, Policy, Template
from tests.conftest import CHECKOUT

WANG = UUID("0c5e0000-0000-4000-8000-000000000001")
CLOSED = frozenset(Kind) - {Kind.PERSON, Kind.TEXT}
DUE = datetime(2026, 11, 25, 7, 30, tzinfo=UTC).isoformat()


class Names:
    """What is known."""

    def campus(self, code: str, language: str) -> str | None:
        return {("HP", "zh"): "黄埔院区", ("HP", "en"): "Huangpu"}.get((code, language))

    def department(self, facility: str, code: str) -> str | None:
        return "心内科" if (facility, code) == ("HP", "0301") else None

    def person(self, id_: UUID) -> str | None:
        return "王小明" if id_ == WANG else None


def policy(**channels: frozenset[Kind]) -> Policy:
    taken = {"in_app": frozenset(Kind), "sms": CLOSED, "wechat": CLOSED, "email": CLOSED} | channels
    return Policy.model_validate({"channels": taken, "links": ["https://yilian.test/"]})


def template(kind: str, said: str = "值：{v}", **more: object) -> Template:
    """A template that says one variable everywhere."""
    both = {"zh": {"text": said}, "en": {"text": said}}
    titled = {language: {"title": "t", **parts} for language, parts in both.items()}
    return Template.model_validate(
        {
            "name": "t",
            "description": "d",
            "variables": {"v": {"is": kind, **more}},
            "in_app": titled,
            "sms": both,
            "email": titled,
            "wechat": {"template": "t", "wording": both},
        }
    )


def said(
    one: Template, channel: Channel, value: Value, language: str = "zh", rule: Policy | None = None
) -> str:
    return Rendering(Book(rule or policy()), language, Names()).parts(one, channel, {"v": value})["text"]


@pytest.mark.parametrize(
    ("kind", "value", "zh", "en"),
    [
        ("number", 3, "值：3", "值：3"),
        ("time", DUE, "值：11月25日 15:30", "值：25 Nov 15:30"),
        ("day", "2026-11-25", "值：2026年11月25日", "值：25 Nov 2026"),
        ("campus", "HP", "值：黄埔院区", "值：Huangpu"),
        ("department", "HP/0301", "值：心内科", "值：心内科"),
        ("reference", "R-2026-0007", "值：R-2026-0007", "值：R-2026-0007"),
        ("link", "https://yilian.test/c/x1", "值：https://yilian.test/c/x1", "值：https://yilian.test/c/x1"),
    ],
)
def test_each_kind_is_shown_to_people(kind: str, value: Value, zh: str, en: str) -> None:
    assert said(template(kind), Channel.SMS, value) == zh
    assert said(template(kind), Channel.SMS, value, "en") == en


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "王小明"),
        ("time", "2026-11-25T10:00:00"),
        ("time", "明天"),
        ("day", "2026-13-01"),
        ("campus", "王小明"),
        ("department", "0301"),
        ("department", "HP/王小明"),
        ("reference", "王小明"),
        ("reference", "440106199001011234"),
        ("reference", "R-13800138000"),
        ("link", "https://elsewhere.test/c/x1"),
        ("link", "https://yilian.test/王小明"),
        ("link", "https://yilian.test/13800138000"),
    ],
)
def test_what_is_not_of_its_kind_goes_nowhere_and_is_not_quoted(kind: str, value: Value) -> None:
    with pytest.raises(RenderError) as wrong:
        said(template(kind), Channel.SMS, value)
    assert wrong.value.code == "bad_value"
    assert str(value) not in str(wrong.value)


@given(st.sampled_from(sorted(CLOSED - {Kind.WORD})), st.sampled_from(OUTWARD), st.text(min_size=1))
def test_no_text_gets_outside_by_a_closed_kind(kind: Kind, channel: Channel, value: str) -> None:
    try:
        shown = said(template(kind.value), channel, f"张{value}")
    except RenderError:
        return
    raise AssertionError(shown)


def test_a_word_is_one_of_the_list() -> None:
    one = template("word", words={"urgent": {"zh": "紧急", "en": "urgent"}})
    assert said(one, Channel.SMS, "urgent") == "值：紧急"
    assert said(one, Channel.SMS, "urgent", "en") == "值：urgent"
    with pytest.raises(RenderError):
        said(one, Channel.SMS, "肺癌")


@pytest.mark.parametrize("channel", OUTWARD)
@pytest.mark.parametrize(("kind", "value"), [("person", str(WANG)), ("text", "肺癌")])
def test_patient_data_stays_inside_even_where_a_file_says_otherwise(
    channel: Channel, kind: str, value: str
) -> None:
    with pytest.raises(RenderError) as wrong:
        said(template(kind), channel, value)
    assert wrong.value.code == "forbidden_variable"
    assert said(template(kind), Channel.IN_APP, value) in ("值：王小明", "值：肺癌")


def test_the_policy_may_let_a_kind_out() -> None:
    opened = policy(email=frozenset({Kind.PERSON}))
    assert said(template("person"), Channel.EMAIL, str(WANG), rule=opened) == "值：王小明"


def test_a_text_too_long_for_a_telephone_is_not_cut() -> None:
    with pytest.raises(RenderError, match="more than 134"):
        said(template("number", "长" * 134 + "{v}"), Channel.SMS, 1)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(RenderError, match="gives no v"):
        Rendering(Book(policy()), "zh", Names()).parts(template("number"), Channel.SMS, {})


COME: Mapping[str, Value] = {
    "sender": "HP",
    "requester": "HP",
    "hospital": "HP",
    "onward": "HP",
    "department": "HP/0301",
    "reference": "R-1",
    "due": DUE,
    "at": DUE,
    "start": DUE,
    "link": "http://127.0.0.1:8080/r/abcdef",
}


@pytest.mark.parametrize("one", load(CHECKOUT / "rules").templates.values(), ids=lambda one: one.name)
def test_what_yilian_comes_with_can_be_said_in_every_channel_and_language(one: Template) -> None:
    book = load(CHECKOUT / "rules")
    words = {name: [*each.words] for name, each in one.variables.items() if each.kind is Kind.WORD}
    for chosen in product(*words.values()):
        values = {**COME, **dict(zip(words, chosen, strict=True))}
        for channel, language in product((Channel.IN_APP, *one.outward), ("zh", "en")):
            assert all(Rendering(book, language, Names()).parts(one, channel, values).values())
