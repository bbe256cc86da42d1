"""The page of a room takes nothing from elsewhere, and has words in both languages for everything it says."""

from __future__ import annotations

import re

import pytest

from api.video_page import ASSETS, FOLDER, SCRIPT, policy

HTML = (FOLDER / "room.html").read_text(encoding="utf-8")
SCRIPTS = {name: (FOLDER / name).read_text(encoding="utf-8") for name in ASSETS}


@pytest.mark.parametrize(
    ("url", "ways"),
    [
        ("ws://127.0.0.1:7880", "connect-src 'self' ws://127.0.0.1:7880 http://127.0.0.1:7880;"),
        ("wss://video.example/x", "connect-src 'self' wss://video.example https://video.example;"),
        ("", "connect-src 'self';"),
    ],
)
def test_the_page_speaks_with_us_and_the_video_server_alone(url: str, ways: str) -> None:
    told = policy(url)
    assert ways in told
    assert told.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in told


def test_nothing_comes_from_elsewhere_and_no_script_or_style_is_inline() -> None:
    taken = re.findall(r'(?:src|href)="([^"]+)"', HTML)
    assert taken
    assert all(one.startswith("/") for one in taken)
    assert {one.rsplit("/", 1)[1] for one in taken if "/video/" in one} == {*ASSETS, SCRIPT}
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon[a-z]+=|\bstyle=|<style", HTML)
    assert 'integrity="{integrity}"' in HTML
    assert not any("//" in line and "http" in line for text in SCRIPTS.values() for line in text.splitlines())


def words(language: str) -> set[str]:
    part = SCRIPTS["words.js"].split(f"  {language}: {{")[1].split("\n  },")[0]
    return set(re.findall(r'(?:^|[\s{,])"?([a-zA-Z-]+)"?: "', part))


def test_every_word_is_there_in_chinese_and_english() -> None:
    assert words("zh") == words("en")
    assert len(words("zh")) > 40


def test_every_word_that_is_said_is_there() -> None:
    said = set(re.findall(r'data-word(?:-label)?="([a-zA-Z]+)"', HTML))
    said |= set(re.findall(r'\b(?:word|say)\("([a-zA-Z-]+)"', SCRIPTS["room.js"]))
    said |= set(re.findall(r'new Problem\("([a-z-]+)"', SCRIPTS["room.js"]))
    assert said
    assert said <= words("zh")


def test_every_refusal_of_a_room_has_words() -> None:
    codes: set[str] = set()
    for path in ("decide", "links"):
        source = (FOLDER.parents[2] / "consortium" / "teleconsult" / "rooms" / f"{path}.py").read_text()
        codes |= set(re.findall(r'RoomRefusedError\(\s*"([a-z-]+)"', source))
    assert len(codes) >= 9
    assert codes - {"no-doorkeeper"} <= words("en")


def test_everything_that_is_used_can_be_named_and_reached_by_keyboard() -> None:
    for tag, attributes in re.findall(r"<(button|input|select)\b([^>]*)>", HTML):
        assert "tabindex" not in attributes, tag
    assert HTML.count("<label>") == len(re.findall(r"<(?:input|select)\b", HTML))
    assert 'aria-live="polite"' in HTML
    assert 'role="alert"' in HTML
    assert "width=device-width" in HTML
