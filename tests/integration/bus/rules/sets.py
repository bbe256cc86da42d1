"""A small rule set in numbered versions, each of which writes its number in three places of a report."""

from __future__ import annotations

RULE = """\
name: main-lab
facility: MAIN
description: lab reports; version {number}
match: msg.type == "ORU^R01"
kind: report
include: [patient.yaml]
map:
  patient: {{use: patient}}
  reports:
    each: OBR
    number: OBR-3.1
    kind: {{const: lab}}
    item: {{code: {{path: OBR-4.1, lookup: panels, on_miss: hold}}, name: OBR-4.2}}
    conclusion: {{const: v{number}}}
    results:
      each: OBX
      item: {{code: OBX-3.1, name: OBX-3.2}}
      value: OBX-5
      use: result
tests:
  - name: it says its version
    given:
      text: |
        MSH|^~\\&|LIS|MAIN|YILIAN|GROUP|20261120083000||ORU^R01|C1|P|2.4
        PID|1||M1^^^MAIN^MR||X^Y
        OBR|1|O1|R1|LP006^电解质
        OBX|1|NM|L0601^钾||4.1
    expect:
      kind: report
      change: {{reports: [{{item: {{code: {expected}}}, conclusion: v{number}}}]}}
"""
SHARED = """\
description: parts of the set
fragments:
  patient: {{number: PID-3.1}}
  result: {{unit: {{const: v{number}}}}}
"""
CODES = "facility,code,target,name,system\nMAIN,LP006,v{number},,\n"


def numbered(number: int, *, expected: str | None = None, codes: str = CODES) -> dict[str, bytes]:
    """Return a version; its own test expects `expected`, by default what is right."""
    rule = RULE.format(number=number, expected=expected or f"v{number}")
    return {
        "campuses/main/lab.yaml": rule.encode(),
        "shared/patient.yaml": SHARED.format(number=number).encode(),
        "codes/panels.csv": codes.format(number=number).encode(),
    }
