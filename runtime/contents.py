"""Opens the documents' store that the settings name."""

from __future__ import annotations

from pathlib import Path

from consortium.documents.content import ContentStore, FolderStore
from consortium.documents.objects import s3
from runtime.settings import Settings, home


def opened_store(settings: Settings) -> ContentStore:
    """Return the store; the folder in the home folder is made, another must be there.

    Raises PermanentError for options that do not exist.
    """
    where = settings.documents_store
    if where.startswith("s3://"):
        return s3(where, settings.documents_store_options)
    return FolderStore(Path(where)) if where else FolderStore(home() / "documents", own=True)


def folder_of(settings: Settings) -> Path | None:
    """Return the folder of the store; None: it is below the home folder, or no folder."""
    where = settings.documents_store
    return Path(where) if where and not where.startswith("s3://") else None
