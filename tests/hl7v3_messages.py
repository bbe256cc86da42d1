"""HL7 v3 messages as a campus's program sends them, and how their answers are read."""

from __future__ import annotations

import uuid
from xml.sax.saxutils import escape

from lxml import etree

V3 = {"v": "urn:hl7-org:v3"}
SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
CONSORTIUM, MAIN, HP, HY = (f"1.2.156.10011.99.{arc}" for arc in range(4))
CARDS = "2.16.156.10011.1.3"
Element = etree._Element


def message(interaction: str, act: str, id_: str | None = None, created: str = "20261120093000") -> str:
    name = interaction.partition("_Cancel")[0]
    return (
        f'<{interaction} xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><id root="{id_ or uuid.uuid4()}"/>'
        f'<creationTime value="{created}"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{name}"/><processingCode code="P"/>'
        '<processingModeCode code="T"/><acceptAckCode code="AL"/>'
        '<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE">'
        f'<id root="{CONSORTIUM}"/></device></receiver>'
        '<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE">'
        f'<id root="{HP}.7"/></device></sender>'
        f'<controlActProcess classCode="CACT" moodCode="EVN">{act}</controlActProcess></{interaction}>'
    )


def ii(root: str, extension: str | None = None, name: str = "id") -> str:
    more = "" if extension is None else f' extension="{escape(extension)}"'
    return f'<{name} root="{root}"{more}/>'


def person(name: str = "<family>欧阳</family><given>珅</given>", more: str = "") -> str:
    return (
        f'<patientPerson classCode="PSN" determinerCode="INSTANCE"><name use="L">{name}</name>'
        f"{more}</patientPerson>"
    )


DEMOGRAPHICS = (
    '<telecom value="tel:13800000000"/><administrativeGenderCode code="F"/><birthTime value="19900307"/>'
    "<addr><state>广东省</state><city>广州市</city><streetAddressLine>中山二路1号</streetAddressLine></addr>"
)


def card(number: str) -> str:
    scope = (
        f'<scopingOrganization classCode="ORG" determinerCode="INSTANCE">{ii(CARDS)}</scopingOrganization>'
    )
    return f'<asOtherIDs classCode="PAT">{ii(CARDS, number)}{scope}</asOtherIDs>'


def registration(interaction: str, ids: str, person_: str, replaced: str = "", **more: str) -> str:
    trigger = interaction.replace("IN", "TE")
    prior = (
        '<replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN">'
        '<statusCode code="obsolete"/><subject1 typeCode="SBJ"><priorRegisteredRole classCode="PAT">'
        f"{replaced}</priorRegisteredRole></subject1></priorRegistration></replacementOf>"
    )
    act = (
        f'<code code="{trigger}" codeSystem="2.16.840.1.113883.1.6"/><subject typeCode="SUBJ">'
        '<registrationEvent classCode="REG" moodCode="EVN"><id nullFlavor="NA"/><statusCode code="active"/>'
        f'<subject1 typeCode="SBJ"><patient classCode="PAT">{ids}<statusCode code="active"/>{person_}'
        f'<providerOrganization classCode="ORG" determinerCode="INSTANCE">{ii(HP)}'
        '<contactParty classCode="CON"/></providerOrganization></patient></subject1>'
        f'<custodian typeCode="CST"><assignedEntity classCode="ASSIGNED">{ii(HP)}</assignedEntity>'
        "</custodian>"
        f"{prior if replaced else ''}</registrationEvent></subject>"
    )
    return message(interaction, act, **more)


def add(number: str, root: str = HP, *, more: str = DEMOGRAPHICS, **named: str) -> str:
    return registration("PRPA_IN201301UV02", ii(root, number), person(more=more), **named)


def merge(surviving: str, retired: str, root: str = HP, **named: str) -> str:
    return registration("PRPA_IN201304UV02", ii(root, surviving), person(), ii(root, retired), **named)


def query(trigger: str, parameters: str, query_id: str = "Q1", quantity: int | None = None) -> str:
    realtime = '<responseModalityCode code="R"/>' if "201305" in trigger else ""
    initial = "" if quantity is None else f'<initialQuantity value="{quantity}"/>'
    return (
        f'<code code="{trigger}" codeSystem="2.16.840.1.113883.1.6"/><queryByParameter>'
        f'{ii(f"{HP}.8", query_id, "queryId")}<statusCode code="new"/>{realtime}'
        f'<responsePriorityCode code="I"/>{initial}<parameterList>{parameters}</parameterList>'
        "</queryByParameter>"
    )


def pix(source: str, *targets: str) -> str:
    wanted = "".join(
        f"<dataSource>{ii(one, name='value')}<semanticsText>DataSource.id</semanticsText></dataSource>"
        for one in targets
    )
    asked = f"<patientIdentifier>{source}<semanticsText>Patient.id</semanticsText></patientIdentifier>"
    return message("PRPA_IN201309UV02", query("PRPA_TE201309UV02", wanted + asked))


def pdq(parameters: str, query_id: str = "Q1", quantity: int | None = None) -> str:
    return message("PRPA_IN201305UV02", query("PRPA_TE201305UV02", parameters, query_id, quantity))


def named(value: str, use: str = "") -> str:
    attribute = f' use="{use}"' if use else ""
    return (
        f"<livingSubjectName><value{attribute}>{value}</value>"
        "<semanticsText>LivingSubject.name</semanticsText></livingSubjectName>"
    )


def scope(root: str) -> str:
    return (
        f"<otherIDsScopingOrganization>{ii(root, name='value')}"
        "<semanticsText>OtherIDs.scopingOrganization.id</semanticsText></otherIDsScopingOrganization>"
    )


def go_on(query_id: str = "Q1", quantity: int = 2, status: str = "waitContinuedQueryResponse") -> str:
    act = (
        '<code code="PRPA_TE000003UV02"/><queryContinuation>'
        f'{ii(f"{HP}.8", query_id, "queryId")}<continuationQuantity value="{quantity}"/>'
        f'<statusCode code="{status}"/></queryContinuation>'
    )
    return message("QUQI_IN000003UV01", act)


def envelope(payload: str, header: str = "") -> bytes:
    return (
        f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:wsa="{WSA}"><soap:Header>{header}</soap:Header>'
        f"<soap:Body>{payload}</soap:Body></soap:Envelope>"
    ).encode()


def addressed(interaction: str, message_id: str = "urn:uuid:1") -> str:
    return (
        f'<wsa:Action soap:mustUnderstand="1">urn:hl7-org:v3:{interaction}</wsa:Action>'
        f"<wsa:MessageID>{message_id}</wsa:MessageID>"
        f"<wsa:ReplyTo><wsa:Address>{WSA}/anonymous</wsa:Address></wsa:ReplyTo>"
    )


def payload(body: bytes) -> Element:
    """Return the message in an answer."""
    found = etree.fromstring(body).find(f"{{{SOAP}}}Body")
    assert found is not None
    return found[0]


def codes(answer: Element) -> tuple[str | None, str | None]:
    """Return acknowledgement and queryResponseCode."""
    said = (
        str(answer.xpath(f"string({place}/@code)", namespaces=V3)) or None
        for place in ("v:acknowledgement/v:typeCode", ".//v:queryResponseCode")
    )
    return next(said), next(said)


def details(answer: Element) -> list[tuple[str, str]]:
    """Return code and location of every acknowledgement detail."""
    found = answer.findall("v:acknowledgement/v:acknowledgementDetail", V3)
    return [
        (str(one.xpath("string(v:code/@code)", namespaces=V3)), one.findtext("v:location", "", V3))
        for one in found
    ]


def ids(answer: Element) -> list[list[tuple[str, str]]]:
    """Return the ids of each patient in an answer."""
    return [
        [(one.get("root", ""), one.get("extension", "")) for one in patient.findall("v:id", V3)]
        for patient in answer.iterfind(".//v:registrationEvent/v:subject1/v:patient", V3)
    ]
