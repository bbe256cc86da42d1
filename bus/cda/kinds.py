"""The document kinds of WS/T 500-2016 that the platform knows by name, and the OIDs of their headers.

Part N of the standard has the document code C00NN and the template 2.16.156.10011.2.1.1.(20 + N).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TYPES = "2.16.156.10011.2.4"
"""卫生信息共享文档规范编码体系: the code system of `ClinicalDocument/code`."""
TEMPLATES = "2.16.156.10011.2.1.1"
DOCUMENTS = "2.16.156.10011.1.1"
"""文档流水号."""
NATIONAL = "2.16.156.10011."
"""What begins so is of the nation; a patient's number of another root is the campus's own."""
OUTPATIENT_NUMBER = "2.16.156.10011.1.11"
INPATIENT_NUMBER = "2.16.156.10011.1.12"
LAST_PART = 53


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document."""

    code: str
    chinese: str
    english: str

    @property
    def template(self) -> str:
        """OID of its template."""
        return f"{TEMPLATES}.{20 + int(self.code[1:])}"


KINDS = {
    kind.code: kind
    for kind in (
        Kind("C0001", "病历概要", "record summary"),
        Kind("C0002", "门(急)诊病历", "outpatient and emergency record"),
        Kind("C0004", "西药处方", "prescription of medicines"),
        Kind("C0005", "中药处方", "prescription of Chinese medicines"),
        Kind("C0006", "检查报告", "examination report"),
        Kind("C0007", "检验报告", "laboratory report"),
        Kind("C0009", "一般手术记录", "surgery record"),
        Kind("C0053", "出院小结", "discharge summary"),
    )
}
"""By code: those that the platform's own Schematron, samples and rules are for."""


def is_code(text: str) -> bool:
    """Tell whether a text is the code of some part of the standard."""
    return re.fullmatch(r"C00\d\d", text) is not None and 1 <= int(text[1:]) <= LAST_PART
