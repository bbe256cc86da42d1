"""What a rule set lacks on this machine is named by its setting."""

from __future__ import annotations

from pathlib import Path

from adapters.needed import needed
from runtime.settings import CHECKOUT, FilePlace, Settings

DESTINATION = """
name: ns-out
description: a folder
facility: NS
kind: files
place: ns_out
file: "{control_id}.hl7"
"""


def test_the_sample_lacks_where_nansha_and_huiya_are() -> None:
    told = [one.partition(":")[0] for one in needed(CHECKOUT / "rules", Settings())]
    assert told == [
        "file_places.ns_lab",
        "file_places.ns_patients",
        "table_sources.huiya_url",
        "table_sources.ns_his",
    ]


def test_what_is_set_is_not_named() -> None:
    places = {name: FilePlace(url="/srv/drop") for name in ("ns_lab", "ns_patients")}
    told = Settings(file_places=places, table_sources={"ns_his": "postgresql://"}, huiya_url="postgresql://")
    assert list(needed(CHECKOUT / "rules", told)) == []


def test_a_destination_without_its_place_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "campuses" / "nansha" / "destinations"
    folder.mkdir(parents=True)
    (folder / "ns-out.yaml").write_text(DESTINATION, encoding="utf-8")
    assert list(needed(tmp_path, Settings())) == [
        "file_places.ns_out: until it is set, what goes to ns-out waits"
    ]
