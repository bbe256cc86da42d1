"""The upload interfaces: one for each data type, each defined by its XSD in `schemas/`."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lxml import etree

SCHEMAS = Path(__file__).parent / "schemas"
NAMESPACE = "urn:yilian:upload:v1"
ANSWER = "上传应答"
XS = "http://www.w3.org/2001/XMLSchema"

TITLES = {
    "patient": "患者信息上传",
    "encounter": "就诊信息上传",
    "order": "医嘱申请上传",
    "lab_report": "检验报告上传",
    "exam_report": "检查报告上传",
    "document": "病历文书上传",
    "cda": "共享文档上传",
    "charge": "费用明细上传",
}


class _Compiled(threading.local):
    def __init__(self) -> None:
        self.schemas: dict[str, etree.XMLSchema] = {}


_compiled = _Compiled()


@dataclass(frozen=True, slots=True)
class Interface:
    """One upload interface."""

    name: str
    """As in its address and in `soap:<name>`."""
    title: str
    root: str
    """Local name of the request's element."""
    definition: etree._Element
    """Its whole xs:schema, includes resolved: one document that stands alone."""

    @property
    def schema(self) -> etree.XMLSchema:
        """Its compiled schema, this thread's own: lxml keeps the mistakes it found in the schema object."""
        if self.name not in _compiled.schemas:
            _compiled.schemas[self.name] = etree.XMLSchema(self.definition)
        return _compiled.schemas[self.name]

    @property
    def operation(self) -> str:
        """Name of its one operation: `UploadLabReport` for lab_report."""
        return "Upload" + "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def message_type(self) -> str:
        """The inbox's message type."""
        return f"soap:{self.name}"


@lru_cache(maxsize=1)
def interfaces() -> dict[str, Interface]:
    """Load every interface by name."""
    return {name: _load(name, title) for name, title in TITLES.items()}


def _load(name: str, title: str) -> Interface:
    definition = etree.parse(SCHEMAS / f"{name}.xsd").getroot()
    for include in definition.findall(f"{{{XS}}}include"):
        included = etree.parse(SCHEMAS / include.get("schemaLocation", "")).getroot()
        place = definition.index(include)
        definition.remove(include)
        for offset, child in enumerate(included):
            definition.insert(place + offset, copy.deepcopy(child))
    root = definition.findall(f"{{{XS}}}element")[-1].get("name", "")
    return Interface(name, title, root, definition)
