"""Each adapter's manifest: its id is its folder's name, and it says what a reviewer asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runtime.services.own import PROCESSES

ADAPTERS = Path(__file__).parents[3] / "adapters"
MANIFESTS = sorted(ADAPTERS.glob("*/manifest.yaml"))


def test_there_are_manifests() -> None:
    assert {"soap", "rest", "tables"} <= {path.parent.name for path in MANIFESTS}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_a_manifest_says_who_what_and_how(path: Path) -> None:
    manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert manifest["id"] == path.parent.name
    assert manifest["direction"] in ("in", "out", "both")
    assert manifest["data_class"] in ("patient", "none")
    assert manifest["tier"] in ("bronze", "silver", "gold", "platinum")
    assert manifest["title"]
    assert manifest["owner"]
    assert isinstance(manifest["standards"], list)
    assert manifest["refusals"] in ("message list", "heartbeat")
    assert manifest["process"] in {process.name for process in PROCESSES}
    assert manifest["charsets"]
    for what in ("answers", "counters"):
        assert set(manifest[what]) == {"accepted", "refused", "unavailable"}
        assert all(isinstance(word, str) for word in manifest[what].values())


def test_every_inbound_adapter_is_in_the_contract_suite() -> None:
    harnesses = ADAPTERS.parent / "tests" / "contract" / "adapters"
    manifests = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in MANIFESTS]
    inbound = {manifest["id"] for manifest in manifests if manifest["direction"] != "out"}
    assert inbound <= {path.stem.removesuffix("_harness") for path in harnesses.glob("*_harness.py")}
