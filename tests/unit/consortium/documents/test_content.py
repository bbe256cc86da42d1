"""Contents in a folder and in a bucket: the same promises."""

from __future__ import annotations

import gzip
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from consortium.documents.content import (
    ContentStore,
    CorruptContentError,
    FolderStore,
    StoreAwayError,
    key_of,
    packed,
    unpacked,
)
from consortium.documents.objects import BucketStore

TEXT = "出院小结：病情平稳。珅".encode() * 500
NAME = hashlib.sha256(TEXT).digest()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ContentStore:
    return FolderStore(tmp_path) if request.param == "folder" else BucketStore(MemoryStore(), "x")


def test_what_is_put_comes_back_and_is_listed_until_it_is_removed(store: ContentStore) -> None:
    store.put(NAME, TEXT)
    store.put(NAME, TEXT)
    assert store.has(NAME)
    assert store.get(NAME) == TEXT
    (kept,) = store.all()
    assert kept.sha256 == NAME
    assert kept.size < len(TEXT) / 10
    assert abs(datetime.now(UTC) - kept.written_at) < timedelta(minutes=1)
    store.remove(NAME)
    store.remove(NAME)
    assert list(store.all()) == []


def test_what_is_not_there_is_not_there(store: ContentStore) -> None:
    store.put(NAME, TEXT)
    other = hashlib.sha256(b"x").digest()
    assert (store.has(other), store.get(other)) == (False, None)


@given(st.binary(max_size=2000))
def test_packing_loses_nothing(data: bytes) -> None:
    assert unpacked(hashlib.sha256(data).digest(), packed(data)) == data


def test_what_compresses_badly_grows_by_next_to_nothing() -> None:
    noise = hashlib.shake_256(b"seed").digest(300_000)
    assert len(packed(noise)) < len(noise) + 200


@pytest.mark.parametrize("damaged", [b"", b"no gzip", packed(TEXT)[:-9], packed(TEXT + b"x")])
def test_a_damaged_content_is_told_and_not_given(damaged: bytes) -> None:
    with pytest.raises(CorruptContentError, match=NAME.hex()):
        unpacked(NAME, damaged)


def test_any_tool_opens_a_file_of_the_folder(tmp_path: Path) -> None:
    FolderStore(tmp_path).put(NAME, TEXT)
    assert gzip.decompress((tmp_path / key_of(NAME)).read_bytes()) == TEXT


def test_a_write_that_fails_leaves_nothing_and_what_a_kill_left_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreAwayError, match="No space left"):
            store.put(NAME, TEXT)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    left = tmp_path / "ab" / "cd" / "tmp123.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert list(store.all()) == []
    assert store.remove_unfinished(datetime.now(UTC) - timedelta(days=1)) == 0
    assert store.remove_unfinished(datetime.now(UTC) + timedelta(seconds=5)) == 1
    assert not left.exists()


def test_a_folder_that_is_not_mounted_is_no_empty_one(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "away")
    for ask in (store.get, store.has, lambda name: store.put(name, TEXT)):
        with pytest.raises(StoreAwayError, match="mount"):
            ask(NAME)
    with pytest.raises(StoreAwayError, match="mount"):
        list(store.all())
