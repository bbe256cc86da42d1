"""Authors and recipients: XCN and XON texts of metadata, contained resources of FHIR."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bus.fhir.documents.terms import URN_OID
from bus.fhir.shapes import Resource, without_empty
from consortium.documents.model import Author

Look = Callable[[Any], Resource | None]
"""Returns the resource of a Reference, contained or in the bundle."""
_FORBIDDEN = str.maketrans(dict.fromkeys("^&|~\\\r\n", " "))
_ASCII = 0x7F


class Contained:
    """The resources contained in one that is being made."""

    def __init__(self) -> None:
        self.resources: list[Resource] = []

    def add(self, resource: Resource) -> Resource:
        """Contain a resource; return the reference to it."""
        id_ = f"{resource['resourceType'].lower()}{len(self.resources) + 1}"
        self.resources.append({"resourceType": resource["resourceType"], "id": id_, **resource})
        return {"reference": f"#{id_}"}


def authors(shown: Sequence[Author], contained: Contained) -> list[Resource]:
    """Show authors: each a Practitioner, with what they are where in a PractitionerRole."""
    return [reference for author in shown for reference in _author(author, contained)]


def _author(author: Author, contained: Contained) -> list[Resource]:
    person = contained.add(practitioner(author.person)) if author.person else None
    organisations = [contained.add(organisation(one)) for one in author.institutions]
    if person is None:
        return organisations
    roles, specialties = (
        [{"text": _first(one)} for one in each] for each in (author.roles, author.specialties)
    )
    if not (organisations or roles or specialties):
        return [person]
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": person,
        "organization": organisations[0] if organisations else None,
        "code": roles,
        "specialty": specialties,
    }
    return [contained.add(without_empty(role)), *organisations[1:]]


def practitioner(xcn: str) -> Resource:
    """Show an XCN as Practitioner."""
    parts = _components(xcn, 9)
    family, given = parts[1], " ".join(part for part in parts[2:4] if part)
    western = all(ord(character) <= _ASCII for character in family + given)
    text = f"{given} {family}".strip() if western else family + given.replace(" ", "")
    name = without_empty({"text": text, "family": family, "given": [given] if given else None})
    number = _identifier(parts[0], parts[8])
    return without_empty(
        {"resourceType": "Practitioner", "identifier": number, "name": [name] if text else None}
    )


def organisation(xon: str) -> Resource:
    """Show an XON as Organization."""
    parts = _components(xon, 10)
    number = _identifier(parts[9], parts[5])
    return without_empty({"resourceType": "Organization", "identifier": number, "name": parts[0]})


def read_authors(references: Any, look: Look) -> tuple[Author, ...]:
    """Read authors from references."""
    found = (read_author(one, look) for one in (references if isinstance(references, list) else ()))
    return tuple(author for author in found if author is not None)


def read_author(reference: Any, look: Look) -> Author | None:
    """Read one author: a Practitioner, PractitionerRole, Organization, or who is only named."""
    resource = look(reference)
    if resource is None:
        display = reference.get("display") if isinstance(reference, dict) else None
        return Author(person=f"^{_plain(display)}") if display else None
    if resource["resourceType"] == "Organization":
        return Author(institutions=(xon(resource),))
    if resource["resourceType"] != "PractitionerRole":
        return Author(person=xcn(resource))
    person, where = look(resource.get("practitioner")), look(resource.get("organization"))
    return Author(
        person=xcn(person) if person else None,
        institutions=(xon(where),) if where else (),
        roles=_texts(resource.get("code")),
        specialties=_texts(resource.get("specialty")),
    )


def xcn(resource: Mapping[str, Any]) -> str:
    """Write a Practitioner, Patient or RelatedPerson as XCN."""
    names = resource.get("name") or [{}]
    name = names[0] if isinstance(names[0], dict) else {}
    family = name.get("family") or name.get("text") or ""
    given = " ".join(name.get("given") or ()) if name.get("family") else ""
    number, domain = _number(resource)
    text = f"{number}^{_plain(family)}^{_plain(given)}"
    return f"{text}^^^^^^{domain}" if domain else text


def xon(resource: Mapping[str, Any]) -> str:
    """Write an Organization as XON."""
    number, domain = _number(resource)
    name = _plain(resource.get("name"))
    return f"{name}^^^^^{domain}^^^^{number}" if number else name


def _number(resource: Mapping[str, Any]) -> tuple[str, str]:
    for one in resource.get("identifier") or ():
        if isinstance(one, dict) and one.get("value"):
            system = str(one.get("system", ""))
            domain = f"&{system.removeprefix(URN_OID)}&ISO" if system.startswith(URN_OID) else ""
            return _plain(one["value"]), domain
    return "", ""


def _identifier(number: str, domain: str) -> list[Resource] | None:
    parts = domain.split("&")
    oid = parts[1] if len(parts) > 1 else ""
    system = f"{URN_OID}{oid}" if oid else None
    return [without_empty({"system": system, "value": number})] if number else None


def _texts(concepts: Any) -> tuple[str, ...]:
    found = []
    for one in concepts if isinstance(concepts, list) else ():
        codings = one.get("coding") or [{}]
        found.append(_plain(one.get("text") or codings[0].get("display") or codings[0].get("code")))
    return tuple(text for text in found if text)


def _components(text: str, count: int) -> list[str]:
    parts = text.split("^")
    return parts + [""] * (count - len(parts))


def _first(text: str) -> str:
    return text.partition("^")[0]


def _plain(text: Any) -> str:
    """Keep the delimiters of HL7 v2 out of a text: a name is no structure."""
    return " ".join(str(text or "").translate(_FORBIDDEN).split())
