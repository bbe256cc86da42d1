"""ProvideAndRegisterDocumentSet (ITI-41) and RetrieveDocumentSet (ITI-43), ITI TF-2 §3.41, §3.43."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lxml import etree

from bus.ihe.ebrim import names, submission
from bus.ihe.ebrim.names import LCM
from bus.ihe.ebrim.responses import registry_response
from consortium.documents.errors import ErrorCode, RegistryError, Severity, refusal
from consortium.documents.model import Submission

XDS = "urn:ihe:iti:xds-b:2007"
_NSMAP = {"xds": XDS}

ContentOf = Callable[[etree._Element], bytes]  # noqa: SLF001 - lxml names its type so
"""Reads a base64Binary element, inline or attached."""
PutContent = Callable[[etree._Element, bytes, str], None]  # noqa: SLF001
"""Makes bytes of a MIME type the content of an element."""

MOST_WANTED = 1000
"""Documents in one RetrieveDocumentSetRequest."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Which document of which repository."""

    repository: str
    unique_id: str
    home: str | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One document that was found."""

    reference: Reference
    mime_type: str
    content: bytes


def read_provided(request: etree._Element, content_of: ContentOf) -> tuple[Submission, dict[str, bytes]]:
    """Read a ProvideAndRegisterDocumentSetRequest: what is said, and the documents by their entries' ids.

    Raises:
        RefusedError: the form is wrong, or two Documents have one id.
    """
    submitted = request.find(f"{{{LCM}}}SubmitObjectsRequest")
    if request.tag != f"{{{XDS}}}ProvideAndRegisterDocumentSetRequest" or submitted is None:
        context = (
            "the body must be an xds:ProvideAndRegisterDocumentSetRequest with a lcm:SubmitObjectsRequest"
        )
        raise refusal(ErrorCode.REPOSITORY_ERROR, context)
    contents: dict[str, bytes] = {}
    for document in request.iterchildren(f"{{{XDS}}}Document"):
        id_ = document.get("id", "")
        if not id_ or id_ in contents:
            context = "each Document needs an id of its own: that of its ExtrinsicObject"
            raise refusal(ErrorCode.REPOSITORY_ERROR, context, id_)
        contents[id_] = content_of(document)
    return submission.read(submitted), contents


def written_provided(
    what: Submission, contents: Iterable[tuple[str, bytes, str]], put: PutContent
) -> etree._Element:
    """Write a ProvideAndRegisterDocumentSetRequest; `contents`: id of the entry, bytes, MIME type."""
    request = etree.Element(f"{{{XDS}}}ProvideAndRegisterDocumentSetRequest", nsmap=_NSMAP)
    request.append(submission.write(what))
    for id_, content, mime_type in contents:
        put(etree.SubElement(request, f"{{{XDS}}}Document", attrib={"id": id_}), content, mime_type)
    return request


def read_wanted(request: etree._Element) -> list[Reference]:
    """Read a RetrieveDocumentSetRequest. Raises RefusedError."""
    if request.tag != f"{{{XDS}}}RetrieveDocumentSetRequest":
        raise refusal(ErrorCode.REPOSITORY_ERROR, "the body must be an xds:RetrieveDocumentSetRequest")
    wanted = [_reference(one) for one in request.iterchildren(f"{{{XDS}}}DocumentRequest")]
    if not wanted or any(not one.repository or not one.unique_id for one in wanted):
        context = "name at least one document, each by RepositoryUniqueId and DocumentUniqueId"
        raise refusal(ErrorCode.REPOSITORY_ERROR, context)
    if len(wanted) > MOST_WANTED:
        context = f"{len(wanted)} documents are asked for at once: at most {MOST_WANTED} a request"
        raise refusal(ErrorCode.REPOSITORY_OUT_OF_RESOURCES, context)
    return list(dict.fromkeys(wanted))


def written_wanted(wanted: Iterable[Reference]) -> etree._Element:
    """Write a RetrieveDocumentSetRequest."""
    request = etree.Element(f"{{{XDS}}}RetrieveDocumentSetRequest", nsmap=_NSMAP)
    for one in wanted:
        _refer(etree.SubElement(request, f"{{{XDS}}}DocumentRequest"), one)
    return request


def read_retrieved(
    response: etree._Element, content_of: ContentOf
) -> tuple[list[Retrieved], list[tuple[str, str]]]:
    """Read a RetrieveDocumentSetResponse: the documents, and code and context of its errors."""
    found = [
        Retrieved(
            _reference(one),
            one.findtext(f"{{{XDS}}}mimeType", "").strip(),
            content_of(document),
        )
        for one in response.iterchildren(f"{{{XDS}}}DocumentResponse")
        for document in one.iterchildren(f"{{{XDS}}}Document")
    ]
    errors = response.iter(f"{{{names.RS}}}RegistryError")
    return found, [(one.get("errorCode", ""), one.get("codeContext", "")) for one in errors]


def written_retrieved(
    found: Sequence[Retrieved], errors: Sequence[RegistryError], put: PutContent
) -> etree._Element:
    """Write a RetrieveDocumentSetResponse: a partial success where some were found and some not."""
    response = etree.Element(f"{{{XDS}}}RetrieveDocumentSetResponse", nsmap=_NSMAP)
    failed = any(one.severity is Severity.ERROR for one in errors)
    status = names.PARTIAL_SUCCESS if failed and found else None
    response.append(registry_response(errors, status=status))
    for one in found:
        element = etree.SubElement(response, f"{{{XDS}}}DocumentResponse")
        _refer(element, one.reference)
        etree.SubElement(element, f"{{{XDS}}}mimeType").text = one.mime_type
        put(etree.SubElement(element, f"{{{XDS}}}Document"), one.content, one.mime_type)
    return response


def _reference(element: etree._Element) -> Reference:
    home, repository, unique_id = (
        element.findtext(f"{{{XDS}}}{name}", "").strip()
        for name in ("HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId")
    )
    return Reference(repository, unique_id, home or None)


def _refer(element: etree._Element, reference: Reference) -> None:
    if reference.home is not None:
        etree.SubElement(element, f"{{{XDS}}}HomeCommunityId").text = reference.home
    etree.SubElement(element, f"{{{XDS}}}RepositoryUniqueId").text = reference.repository
    etree.SubElement(element, f"{{{XDS}}}DocumentUniqueId").text = reference.unique_id
