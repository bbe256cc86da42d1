"""What a write asks for: its parts and the conditions of each (R4 sections 3.1.0.7 to 3.1.0.11)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bus.fhir.reading.changes import BESIDE, PARTS, Part
from bus.fhir.reading.issues import InvalidResourceError, Issue
from bus.fhir.reading.keys import KINDS
from bus.fhir.shapes import Resource

BUNDLES = ("transaction", "batch", "message")
_ETAG = re.compile(r'(?:W/)?"?(\d+)"?')


@dataclass(frozen=True, slots=True)
class Asked:
    """What one part of a request asks for."""

    part: Part
    method: str = "POST"
    """POST creates, PUT updates; UPSERT, of a message, does what is needed."""
    id: str | None = None
    """PUT: the logical id in the address."""
    query: str | None = None
    """PUT: the condition in the address, in place of an id."""
    if_none_exist: str | None = None
    if_match: int | None = None
    """The version that must be the current one."""

    @property
    def by_itself(self) -> bool:
        """Whether it is a record of its own, and not a part of another or something that comes along."""
        return self.part.type in KINDS


def version(path: str, etag: str | None) -> int | None:
    """Return the version of If-Match. Raises InvalidResourceError for what is none of ours."""
    if etag is None:
        return None
    found = _ETAG.fullmatch(etag.strip())
    if found is None:
        raise _wrong(path, 'the version in If-Match is W/"1", as ETag had it')
    return int(found[1])


def single(resource: Resource, method: str, type_: str, id_: str | None, headers: Mapping[str, str]) -> Asked:
    """Return what a write of one resource asks for. Raises InvalidResourceError."""
    if resource["resourceType"] != type_:
        raise _wrong(type_, f"the address is for {type_}, and the body is another resource")
    if id_ is not None and resource.get("id") != id_:
        raise _wrong(f"{type_}.id", "the id in the body must be the id in the address")
    return Asked(
        Part(resource, type_),
        method,
        id=id_,
        if_none_exist=headers.get("if-none-exist"),
        if_match=version(type_, headers.get("if-match")),
    )


def entries(bundle: Resource) -> list[Asked]:
    """Return what the entries of a Bundle ask for, in order. Raises InvalidResourceError."""
    kind = bundle.get("type")
    if bundle["resourceType"] != "Bundle" or kind not in BUNDLES:
        raise _wrong("Bundle.type", f"send a Bundle of the types {', '.join(BUNDLES)}")
    found = bundle.get("entry")
    if not isinstance(found, list) or not found:
        raise _wrong("Bundle.entry", "it has no entry")
    if kind == "message":
        _headed(found)
    asked: list[Asked] = []
    issues: list[Issue] = []
    for place, entry in enumerate(found):
        try:
            asked.append(_entry(entry, place, kind))
        except InvalidResourceError as error:
            issues += error.issues
    if issues:
        raise InvalidResourceError(issues)
    return asked


def _headed(found: Sequence[Any]) -> None:
    first = found[0].get("resource") if isinstance(found[0], dict) else None
    if not isinstance(first, dict) or first.get("resourceType") != "MessageHeader":
        raise _wrong("Bundle.entry[0]", "the first entry of a message is its MessageHeader")


def _entry(entry: Any, place: int, kind: str) -> Asked:
    path = f"Bundle.entry[{place}]"
    resource = entry.get("resource") if isinstance(entry, dict) else None
    request = entry.get("request") if isinstance(entry, dict) else None
    if kind != "message" and not isinstance(request, dict):
        raise _wrong(f"{path}.request", "it must say method and url")
    method = str(request.get("method")) if isinstance(request, dict) and kind != "message" else "UPSERT"
    if method not in ("POST", "PUT", "UPSERT"):
        text = "a bundle writes here: POST or PUT; a record is withdrawn by its status entered-in-error"
        raise InvalidResourceError([Issue(f"{path}.request.method", text, "not-supported")])
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise _wrong(f"{path}.resource", "it must be a resource with resourceType")
    address = entry.get("fullUrl")
    part = Part(resource, f"{path}.resource", str(address) if address else None)
    return Asked(part, method) if method == "UPSERT" else _requested(part, method, request, path)


def _requested(part: Part, method: str, request: Any, path: str) -> Asked:
    url = urlsplit(str(request.get("url", "")))
    type_, _, id_ = url.path.strip("/").removeprefix("fhir/").partition("/")
    if type_ != part.type:
        raise _wrong(f"{path}.request.url", f"for {method} of a {part.type} it begins with {part.type}")
    if part.type in PARTS | BESIDE:  # kept with what refers to it, or not at all
        return Asked(part, method)
    if method == "PUT" and not id_ and not url.query:
        raise _wrong(f"{path}.request.url", f"write {part.type}/id, or {part.type}?identifier=system|value")
    return Asked(
        part,
        method,
        id=id_ or None if method == "PUT" else None,
        query=url.query or None,
        if_none_exist=request.get("ifNoneExist"),
        if_match=version(f"{path}.request.ifMatch", request.get("ifMatch")),
    )


def _wrong(path: str, text: str) -> InvalidResourceError:
    return InvalidResourceError([Issue(path, text, "invalid")])
