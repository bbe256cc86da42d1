"""All documents of one person, as files with a table of them."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from bus.cda.console import documents_main
from consortium.documents import stored
from consortium.documents.content import FolderStore, key_of
from consortium.documents.exporting import TABLE, Exported, export
from consortium.documents.model import AssociationType, PatientId
from consortium.documents.moving import move
from consortium.documents.stored import Stored
from consortium.errors import PermanentError
from consortium.records.query import STORE
from runtime import settings
from tests.registered_documents import NOW, REPOSITORY, Shelf, document, patient_of, record, replacing
from tests.shared_documents import CONSORTIUM

SHARED = b"%PDF-1.7 shared"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    (tmp_path / "store").mkdir()
    return FolderStore(tmp_path / "store")


@pytest.fixture
def engine(database_url: str, store: FolderStore) -> Iterator[sa.Engine]:
    bare = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    yield bare.execution_options(**{STORE: store})
    bare.dispose()


@pytest.fixture
def person(engine: sa.Engine, store: FolderStore, database_url: str) -> UUID:
    """With a recorded document that another replaces, one still in a row, two that were shared (of which one
    replaces a third), and one that stays at its campus.
    """
    with engine.begin() as connection:
        patient = patient_of(connection, "HP", "HP000123")
        record(connection, "DOC1", b"<first/>")
        record(connection, "DOC2", b"<second/>", replaces="DOC1")
        shelf = Shelf(connection)
        old = shelf.one(document(patient, mime_type="application/pdf", title="=旧的"))
        new = document(patient, mime_type="application/pdf", title="=出院小结")
        [shared] = shelf.register(replacing(old.entry_uuid, new)).documents
        shelf.one(document(patient, repository_unique_id="1.2.3.4", title="影像"))
        name = hashlib.sha256(SHARED).digest()
        store.put(name, SHARED)
        row = Stored(shared.unique_id, REPOSITORY, name, len(SHARED), "application/pdf", NOW)
        stored.keep(connection, [row])
    bare = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with bare.begin() as connection:
        record(connection, "DOC3", b"<in-a-row/>")
    bare.dispose()
    return UUID(patient.number)


def taken(
    engine: sa.Engine, store: FolderStore, person: UUID, folder: Path, *, replaced: bool = False
) -> tuple[Exported, list[dict[str, str]]]:
    with engine.connect() as connection:
        done = export(connection, store, person, folder, replaced=replaced)
    with (folder / TABLE).open(encoding="utf-8-sig", newline="") as file:
        return done, list(csv.DictReader(file))


def test_each_document_has_its_file_and_the_table_says_which(
    engine: sa.Engine, store: FolderStore, person: UUID, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    done, lines = taken(engine, store, person, folder)
    files = {line["number"]: (folder / line["file"]).read_bytes() for line in lines if line["file"]}
    assert sorted(files.values()) == sorted([b"<second/>", b"<in-a-row/>", SHARED])
    assert (files["DOC2"], files["DOC3"]) == (b"<second/>", b"<in-a-row/>")
    assert (done.documents, done.files, done.bytes) == (4, 3, sum(map(len, files.values())))
    [absent] = [line for line in lines if not line["file"]]
    assert (done.without, absent["title"]) == ([absent["number"]], "影像")
    assert absent["problem"] == "stays at its campus"
    [pdf] = [line for line in lines if line["mime_type"] == "application/pdf"]
    assert (pdf["title"], Path(pdf["file"]).suffix) == ("'=出院小结", ".pdf")  # no spreadsheet's formula
    assert pdf["sha256"] == hashlib.sha256(SHARED).hexdigest()
    assert {(folder / line["file"]).stat().st_mode & 0o777 for line in lines if line["file"]} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_others_replace_comes_along_when_it_is_asked_for_and_moving_changes_nothing(
    engine: sa.Engine, store: FolderStore, person: UUID, tmp_path: Path
) -> None:
    move(engine, store, lambda done, all_: None)
    done, lines = taken(engine, store, person, tmp_path / "copy", replaced=True)
    assert (done.documents, done.files) == (6, 4)
    replaced = [line for line in lines if line["status"] == "replaced"]
    assert sorted(line["title"] for line in replaced) == ["'=旧的", "出院小结"]


@pytest.mark.parametrize("how", [AssociationType.REPLACES, AssociationType.TRANSFORMS_AND_REPLACES])
def test_a_record_that_a_submission_replaces_is_replaced(
    engine: sa.Engine, store: FolderStore, person: UUID, tmp_path: Path, how: AssociationType
) -> None:
    with engine.begin() as connection:
        wanted = sa.text("SELECT id FROM records.document WHERE number = 'DOC3'")
        record_id: UUID = connection.execute(wanted).scalar_one()
        by = document(PatientId(str(person), CONSORTIUM))
        Shelf(connection).register(replacing(record_id.urn, by, how))
    _, lines = taken(engine, store, person, tmp_path / "copy")
    assert "DOC3" not in {line["number"] for line in lines}
    _, lines = taken(engine, store, person, tmp_path / "all", replaced=True)
    assert [line["status"] for line in lines if line["number"] == "DOC3"] == ["replaced"]


def test_it_goes_on_where_it_was_stopped_and_leaves_other_folders_alone(
    engine: sa.Engine, store: FolderStore, person: UUID, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    _, lines = taken(engine, store, person, folder)
    first, second, *_ = [folder / line["file"] for line in lines if line["file"]]
    first.write_bytes(b"half")
    written = second.stat().st_mtime_ns
    done, again = taken(engine, store, person, folder)
    assert (done.files, again, second.stat().st_mtime_ns) == (3, lines, written)
    assert first.read_bytes() != b"half"
    first.unlink()
    first.mkdir()
    with pytest.raises(PermanentError, match="cannot be read"):
        taken(engine, store, person, folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").touch()
    with pytest.raises(PermanentError, match="holds other files"):
        taken(engine, store, person, other)
    with pytest.raises(PermanentError, match="cannot be written"):
        taken(engine, store, person, other / "thesis.txt")


def test_the_command_tells_what_is_lost_and_is_in_the_audit(
    engine: sa.Engine,
    database_url: str,
    person: UUID,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("YILIAN_DATABASE_URL", database_url)
    monkeypatch.setenv("YILIAN_DOCUMENTS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("YILIAN_TOKEN_KEY", "x")
    settings.load.cache_clear()
    (tmp_path / "store" / key_of(hashlib.sha256(b"<second/>").digest())).write_bytes(b"damaged")
    asked = ["export", "--patient", "HP:HP000123", "--why", "病历复印", "--to", str(tmp_path / "copy")]
    try:
        assert documents_main([*asked, "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert (said["documents"], said["files"], "DOC2" in said["without"]) == (4, 2, True)
        assert documents_main(asked) == 1
        assert "DOC2" in capsys.readouterr().out
        asked[-1] = str(tmp_path / "nobody's")
        for nobody, what_to_do in (("HP:nobody", "CAMPUS:NUMBER"), (str(UUID(int=1)), "identity person")):
            asked[2] = nobody
            assert documents_main(asked) == 1
            assert what_to_do in capsys.readouterr().err
            assert not (tmp_path / "nobody's").exists()
    finally:
        settings.load.cache_clear()
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT action, resource, reason LIKE '%病历复印', persons FROM access.audit")
        ).all()
    assert rows == [("record.export", "documents export", True, [person])] * 2
