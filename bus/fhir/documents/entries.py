"""The entries of a Provide Document Bundle, sorted, and how they refer to each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bus.fhir.documents.people import Look
from bus.fhir.documents.terms import LIST_TYPES, MHD
from bus.fhir.reading.document import check
from bus.fhir.reading.issues import InvalidResourceError, Issue
from bus.fhir.shapes import Resource

PROFILES = {
    f"{MHD}IHE.MHD.Comprehensive.ProvideBundle": False,
    f"{MHD}IHE.MHD.UnContained.Comprehensive.ProvideBundle": False,
    f"{MHD}IHE.MHD.Minimal.ProvideBundle": True,
}
"""Whether a profile has minimal metadata."""
_SUBMITTED = re.compile(
    r"(?:.*/)?(DocumentReference|List)/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/_history/.*)?"
)
_BESIDE = ("Patient", "Practitioner", "PractitionerRole", "Organization", "Device", "RelatedPerson")
"""What may come along to be referred to, and is not kept by itself."""


class Problems:
    """What was found wrong so far."""

    def __init__(self) -> None:
        self._issues: list[Issue] = []

    def add(self, expression: str, text: str) -> None:
        """Note a mistake."""
        self._issues.append(Issue(expression, text, "invalid"))

    def extend(self, issues: list[Issue]) -> None:
        """Note mistakes."""
        self._issues += issues

    def refuse(self) -> None:
        """Raise InvalidResourceError when there was any."""
        if self._issues:
            raise InvalidResourceError(self._issues)


@dataclass
class Entries:
    """By an id that holds within the message: a fullUrl is where a resource is, not what it is known by."""

    minimal: bool
    sets: dict[str, Resource] = field(default_factory=dict)
    folders: dict[str, Resource] = field(default_factory=dict)
    documents: dict[str, Resource] = field(default_factory=dict)
    binaries: dict[str, Resource] = field(default_factory=dict)
    """By fullUrl."""
    places: dict[str, int] = field(default_factory=dict)
    """Which entry of the bundle each is."""
    _by_url: dict[str, tuple[str, Resource]] = field(default_factory=dict)

    def add(self, place: int, url: str, resource: Resource) -> None:
        """Sort an entry in. Raises InvalidResourceError for what is not taken."""
        kind = resource["resourceType"]
        id_ = f"{kind}{place}"
        if url in self._by_url:
            raise _invalid(f"Bundle.entry[{place}].fullUrl", "it is that of another entry too")
        self.places[id_] = place
        self._by_url[url] = (id_, resource)
        if kind == "Binary":
            self.binaries[url] = resource
        elif kind == "DocumentReference":
            self.documents[id_] = resource
        elif kind == "List":
            self._list(place, id_, resource)
        elif kind not in _BESIDE:
            raise _invalid(f"Bundle.entry[{place}].resource", f"a {kind} is no part of a submission")

    def _list(self, place: int, id_: str, resource: Resource) -> None:
        codings = (resource.get("code") or {}).get("coding") or ()
        codes = {one.get("code") for one in codings if one.get("system", LIST_TYPES) == LIST_TYPES}
        if "submissionset" in codes:
            self.sets[id_] = resource
        elif "folder" in codes:
            self.folders[id_] = resource
        else:
            raise _invalid(
                f"Bundle.entry[{place}].resource.code", f"it must be submissionset or folder of {LIST_TYPES}"
            )

    def look(self, around: Resource) -> Look:
        """Return what finds the resource of a reference: contained in `around`, or in the bundle."""
        contained = {f"#{one.get('id')}": one for one in around.get("contained") or ()}

        def found(reference: Any) -> Resource | None:
            address = str(reference.get("reference")) if isinstance(reference, dict) else ""
            if address in contained:
                return dict(contained[address])
            return self._by_url[address][1] if address in self._by_url else None

        return found

    def object_id(self, reference: Any) -> str | None:
        """Return the id of a document, folder or set that is referred to: of this bundle, or registered."""
        address = reference.get("reference") if isinstance(reference, dict) else None
        if address in self._by_url:
            return self._by_url[address][0]
        known = _SUBMITTED.fullmatch(str(address))
        return f"urn:uuid:{known[2].lower()}" if known else None

    @staticmethod
    def extensions(resource: Resource, url: str) -> list[Mapping[str, Any]]:
        """Return the extensions of a kind."""
        return [one for one in resource.get("extension") or () if one.get("url") == url]

    def extension(self, resource: Resource, url: str) -> Mapping[str, Any] | None:
        """Return the extension of a kind."""
        return next(iter(self.extensions(resource, url)), None)


def submitted(bundle: Resource) -> Entries:
    """Sort a bundle's entries. Raises InvalidResourceError."""
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction":
        raise _invalid("Bundle.type", "send a Bundle of the type transaction")
    entries = Entries(_minimal(bundle))
    problems = Problems()
    listed = bundle.get("entry")
    for place, one in enumerate(listed if isinstance(listed, list) else ()):
        try:
            url, resource = _entry(one, place)
            if resource["resourceType"] != "Binary":  # megabytes of base64 have no element to be wrong in
                problems.extend(check(resource, f"Bundle.entry[{place}].resource"))
            entries.add(place, url, resource)
        except InvalidResourceError as error:
            problems.extend(list(error.issues))
    problems.refuse()
    return entries


def _minimal(bundle: Resource) -> bool:
    stated = (bundle.get("meta") or {}).get("profile") or ()
    known = [PROFILES[one] for one in stated if one in PROFILES]
    if not known:
        raise _invalid("Bundle.meta.profile", f"it must be one of {', '.join(PROFILES)}")
    return all(known)


def _entry(one: Any, place: int) -> tuple[str, Resource]:
    path = f"Bundle.entry[{place}]"
    resource = one.get("resource") if isinstance(one, dict) else None
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise _invalid(f"{path}.resource", "it must be a resource with resourceType")
    kind = resource["resourceType"]
    method = (one.get("request") or {}).get("method")
    if kind not in _BESIDE and method != "POST":
        raise _invalid(f"{path}.request.method", f"a {kind} is submitted by POST")
    url = one.get("fullUrl")
    if not isinstance(url, str) or not url:
        raise _invalid(f"{path}.fullUrl", "it is what others of the bundle refer to, and must be there")
    return url, resource


def _invalid(expression: str, text: str) -> InvalidResourceError:
    return InvalidResourceError([Issue(expression, text, "invalid")])
