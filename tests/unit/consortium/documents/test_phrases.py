"""How text is taken apart for search, and shown where it was found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.documents.phrases import LONGEST_QUERY, QueryError, folded, query, tokens, units
from consortium.documents.snippets import as_html, snippet

TEXT = "患者　张三，男，65岁。高血压、糖尿病十年，ＣＴ胸部平扫：HbA1c 7.8%。"
WRITTEN = st.text(alphabet="高血压糖尿病 、。\nCTctＣ78<&>𠮷", max_size=60)


def fold(text: str) -> str:
    return folded(list(units(text)))


def found(text: str, asked: str) -> bool:
    """As the database does it."""
    looked_for, there = query(asked), list(units(text))
    candidate = set(looked_for.tokens) <= set(tokens(there))
    return candidate and all(term in folded(there) for term in looked_for.terms)


def test_chinese_characters_stand_together_and_words_apart() -> None:
    assert fold(TEXT) == " 患者张三 男 65 岁 高血压 糖尿病十年 ct 胸部平扫 hba1c 7 8 "


@pytest.mark.parametrize(
    "asked",
    [
        "高血压",
        "血压",
        "癌" * 0 + "男",
        "ct",
        "CT胸部",
        "胸部 ct",
        "hba1c",
        "高血压 糖尿病",
        "患者张三",
        "65岁",
    ],
)
def test_what_is_there_is_found(asked: str) -> None:
    assert found(TEXT, asked)


@pytest.mark.parametrize("asked", ["高血糖", "压糖", "c", "hba", "7 9", "高血压 癌", "尿病男", "岁高血压"])
def test_what_is_not_there_as_asked_is_not(asked: str) -> None:
    assert not found(TEXT, asked)


def test_a_rare_character_and_a_full_width_one() -> None:
    assert found("姓名：欧阳𠮷", "阳𠮷")
    assert found("ＡＢＣ１２３", "abc123")


@pytest.mark.parametrize(
    ("asked", "means"),
    [
        ("", "neither"),
        ("，。 ！", "neither"),
        ("字 " * 9, "more than 8"),
        ("字" * (LONGEST_QUERY + 1), "longer"),
    ],
)
def test_what_cannot_be_searched_by_is_told(asked: str, means: str) -> None:
    with pytest.raises(QueryError, match=means):
        query(asked)


@given(WRITTEN, st.integers(0, 59), st.integers(1, 12))
def test_every_piece_of_a_text_finds_it_or_cannot_be_asked(text: str, start: int, length: int) -> None:
    piece = text[start : start + length]
    taken = list(units(text))
    cut = any(unit.start < edge < unit.end for unit in taken for edge in (start, start + len(piece)))
    if not list(units(piece)) or cut:
        return
    assert found(text, piece)


@given(WRITTEN, st.sampled_from(["高血压", "糖尿病 CT", "ct7"]))
def test_a_snippet_loses_nothing_but_spaces_and_is_escaped(text: str, asked: str) -> None:
    pieces = snippet(text, asked)
    shown = "".join(each.text for each in pieces).strip("…")
    assert "".join(shown.split()) in "".join(text.split())
    page = as_html(pieces).replace("<mark>", "").replace("</mark>", "")
    assert "<" not in page
    assert ">" not in page


@given(WRITTEN, st.sampled_from(["高血压", "ct", "糖尿"]))
def test_what_is_found_is_marked(text: str, asked: str) -> None:
    assert any(each.match for each in snippet(text, asked)) >= found(text, asked)


def test_a_snippet_shows_the_place() -> None:
    text = "主诉。" * 100 + "既往<b>高血\u3000压</b>病史。" + "查体。" * 100
    pieces = snippet(text, "高血压")
    assert [each.text for each in pieces if each.match] == ["高血 压"]
    assert pieces[0].text == pieces[-1].text == "…"
    assert "&lt;b&gt;<mark>高血 压</mark>&lt;/b&gt;" in as_html(pieces)
    assert len("".join(each.text for each in pieces)) <= 170
    assert not any(each.match for each in snippet(text, "没有"))
