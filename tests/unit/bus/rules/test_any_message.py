"""Whatever a campus sends, its rules come to a change or to a hold that says why."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.rules.decision import Decision, Hold
from bus.rules.message import Message
from bus.rules.ruleset import RuleSet
from bus.sources.source import Envelope
from runtime.settings import CHECKOUT

TYPES = {
    "ADT^A01": "HIS",
    "ADT^A08": "HIS",
    "ADT^A28": "HIS",
    "ADT^A40": "HIS",
    "ORM^O01": "HIS",
    "ORU^R01": "LIS",
    "ORU^R01^ORU_R01": "RIS",
    "SIU^S12": "HIS",
    "MDM^T02": "EMR",
    "DFT^P03": "HIS",
    "ZZZ^Z01": "?",
}
"""Types of the repository's HL7 rules, and who sends them; one that no rule takes."""
SEGMENTS = ("PID", "PV1", "MRG", "ORC", "OBR", "OBX", "NTE", "SCH", "AIL", "TXA", "FT1", "DG1", "ZZZ")
LIKELY = (
    "M1^^^MAIN^MR", "F", "19800101", "20261120083000+0800", "王^珅", "LP006^电解质", "L0601^钾", "NM", "ED",
    "4.1", "F", "^C0053^HL7^Base64^77u/", "1001^周明", '""', "NW", "99999999", "2026-11-20", "1~2~~3",
)  # fmt: skip
CHARSETS = ("utf-8", "gb18030")


@lru_cache(maxsize=1)
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Random segments and fields behind a header that rules look for."""
    typed = draw(st.sampled_from(sorted(TYPES)))
    value = st.one_of(
        st.sampled_from(LIKELY),
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8),
        st.text(st.sampled_from('|^~\\&"0123456789A.XT中'), max_size=10),
    )
    lines = [f"MSH|^~\\&|{TYPES[typed]}|MAIN|YILIAN|GROUP|20261120083000||{typed}|C1|P|2.4"]
    names = draw(st.lists(st.sampled_from(SEGMENTS), max_size=8))
    lines += ["|".join([name, *draw(st.lists(value, max_size=24))]) for name in names]
    charset = draw(st.sampled_from(CHARSETS))
    body = "\r".join([*lines, ""]).encode(charset)
    of_type = "^".join(typed.split("^")[:2])
    return Message("any", body, charset, Envelope("MAIN", TYPES[typed], of_type, "mllp", "C1"))


def reasoned(decision: Decision) -> bool:
    """Say whether it is a change, or held for a reason that a person can act upon."""
    outcome = decision.outcome
    if not isinstance(outcome, Hold):
        return len(decision.changes) > 0
    return outcome.code != "internal_error" and len(outcome.reason) > 10 and bool(outcome.step)


@settings(max_examples=300)
@given(messages())
def test_any_message_comes_to_a_change_or_a_hold_with_its_reason(message: Message) -> None:
    decision = message.decide(rules())
    assert reasoned(decision), decision.outcome


@given(st.binary(max_size=200), st.sampled_from(CHARSETS))
def test_any_bytes_do_too(body: bytes, charset: str) -> None:
    head = b"MSH|^~\\&|LIS|MAIN|YILIAN|GROUP|2026||ORU^R01|C1|P|2.4\r"
    for raw in (body, head + body):
        message = Message("any", raw, charset, Envelope("MAIN", "LIS", "ORU^R01", "mllp", "C1"))
        assert reasoned(message.decide(rules()))
