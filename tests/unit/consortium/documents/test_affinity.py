"""The affinity domain: the published file is sound, and a broken one says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from consortium.documents import affinity
from consortium.documents.affinity import AffinityDomainError
from consortium.documents.model import Code
from runtime.settings import CHECKOUT, Settings
from tests.registered_documents import DOMAIN


def test_the_fifty_three_parts_of_the_standard_are_types_with_a_class() -> None:
    parts = [concept for code, concept in DOMAIN.codes["type"].coded() if code.scheme == "2.16.156.10011.2.4"]
    assert [concept.code for concept in parts] == [f"C{number:04}" for number in range(1, 54)]
    assert all(DOMAIN.code("class", concept.class_ or "") for concept in parts)


def test_every_concept_reads_in_chinese_and_english() -> None:
    for listed in DOMAIN.codes.values():
        for concept in listed.concepts:
            assert any("\u4e00" <= letter <= "\u9fff" for letter in concept.zh) or concept.zh.isascii()
            assert concept.en.isascii()


def test_the_authorities_are_those_of_the_settings() -> None:
    settings = Settings(database_url="", amqp_url="", token_key="", routing_key="", sample_password="")
    assert DOMAIN.consortium == settings.consortium_oid
    campuses = {each.name: each.oid for each in DOMAIN.authorities if not each.consortium}
    assert campuses == {campus.code: campus.oid for campus in settings.campuses}
    assert DOMAIN.facility("1.2.156.10011.99.2") == "HP"
    assert DOMAIN.facility(DOMAIN.consortium) is None


def test_a_closed_list_takes_its_own_and_an_open_one_any() -> None:
    lab = DOMAIN.code("class", "lab")
    assert DOMAIN.takes("class", lab)
    assert not DOMAIN.takes("class", Code("lab", "1.2.3"))
    assert DOMAIN.takes("event", Code("anything", "1.2.3"))


def broken(folder: Path, change: Callable[[dict[str, Any]], None]) -> str:
    said = yaml.safe_load((CHECKOUT / "rules" / affinity.FILE).read_text("utf-8"))
    change(said)
    (folder / "codes").mkdir()
    (folder / affinity.FILE).write_text(yaml.safe_dump(said), "utf-8")
    with pytest.raises(AffinityDomainError) as caught:
        affinity.load(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda said: said["codes"].pop("class"), "no list class"),
        (lambda said: said["codes"].update(more=said["codes"]["class"]), "nothing reads: more"),
        (lambda said: said["assigning_authorities"].pop(0), "exactly one"),
        (lambda said: said["assigning_authorities"][1].update(oid="1.02"), "1.02 is no OID"),
        (lambda said: said["assigning_authorities"][1].update(facility_type="shop"), "facility_type must be"),
        (lambda said: said["codes"]["type"]["concepts"][0].pop("class"), "C0001: class must be"),
        (
            lambda said: said["codes"]["class"]["concepts"].append(said["codes"]["class"]["concepts"][0]),
            "is there twice",
        ),
        (lambda said: said.update(colour="red"), "colour"),
    ],
)
def test_lint_says_what_is_wrong(tmp_path: Path, change: Callable[[dict[str, Any]], None], why: str) -> None:
    assert why in broken(tmp_path, change)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AffinityDomainError, match="cannot be read"):
        affinity.load(tmp_path)
