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


def without_manifest(adapters: Path) -> list[str]:
    """Return the folders that serve or send and do not say what they are."""
    speaking = {
        path.parent.name for name in ("server.py", "outbound.py") for path in adapters.glob(f"*/{name}")
    }
    return sorted(name for name in speaking if not (adapters / name / "manifest.yaml").exists())


def test_every_folder_that_serves_or_sends_has_a_manifest() -> None:
    assert without_manifest(ADAPTERS) == []


@pytest.mark.parametrize("code", ["server.py", "outbound.py"])
def test_a_folder_that_serves_or_sends_without_a_manifest_is_found(tmp_path: Path, code: str) -> None:
    for name in ("new", "shared"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / code).touch()
    (tmp_path / "shared" / "client.py").touch()
    assert without_manifest(tmp_path) == ["new"]
    (tmp_path / "new" / "manifest.yaml").touch()
    assert without_manifest(tmp_path) == []


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
    assert manifest.get("known_id", "accepted") in ("accepted", "refused")
    for what in ("answers", "counters"):
        assert set(manifest[what]) == {"accepted", "refused", "unavailable"}
        assert all(isinstance(word, str) for word in manifest[what].values())


def test_every_inbound_adapter_is_in_the_contract_suite() -> None:
    harnesses = ADAPTERS.parent / "tests" / "contract" / "adapters"
    manifests = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in MANIFESTS]
    inbound = {manifest["id"] for manifest in manifests if manifest["direction"] != "out"}
    assert inbound <= {path.stem.removesuffix("_harness") for path in harnesses.glob("*_harness.py")}
