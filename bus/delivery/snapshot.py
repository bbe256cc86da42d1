"""A change as it is kept in the queue until it is built for its destination: all that was known then."""

from __future__ import annotations

import base64
import json

from consortium.records.model import Change, Provenance

_NO_CONTENT = b""


def snapshot(change: Change, provenance: Provenance) -> bytes:
    """Return JSON in UTF-8; the content of documents, which may be no text, is in base64 beside them."""
    bare = [one.model_copy(update={"content": _NO_CONTENT}) for one in change.documents]
    kept = change.model_copy(update={"documents": tuple(bare)})
    contents = json.dumps([base64.b64encode(one.content).decode() for one in change.documents])
    source = provenance.model_dump_json(exclude_none=True)
    said = kept.model_dump_json(exclude_none=True)
    return f'{{"source":{source},"change":{said},"contents":{contents}}}'.encode()


def restored(body: bytes) -> tuple[Change, Provenance]:
    """Return what `snapshot` kept."""
    value = json.loads(body, parse_float=str)
    change = Change.model_validate_json(json.dumps(value["change"]))
    documents = tuple(
        one.model_copy(update={"content": base64.b64decode(content)})
        for one, content in zip(change.documents, value["contents"], strict=True)
    )
    provenance = Provenance.model_validate_json(json.dumps(value["source"]))
    return change.model_copy(update={"documents": documents}), provenance
