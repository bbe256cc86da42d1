"""Opens the documents' store that the settings name."""

from __future__ import annotations

from pathlib import Path

from consortium.documents.content import ContentStore, FolderStore
from consortium.documents.objects import s3
from runtime.settings import Settings, home

S3 = "s3://"


def opened_store(settings: Settings) -> ContentStore:
    """Return the store; the folder in the home folder is made, another must be there.

    Raises PermanentError for options that do not exist.
    """
    if settings.documents_store.startswith(S3):
        return s3(settings.documents_store, settings.documents_store_options)
    folder = folder_of(settings)
    return FolderStore(folder) if folder else FolderStore(home() / "documents", own=True)


def folder_of(settings: Settings) -> Path | None:
    """Return the folder of the store; None: it is below the home folder, or no folder."""
    where = settings.documents_store
    return Path(where) if where and not where.startswith(S3) else None
