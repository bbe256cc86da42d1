"""The registry joins what is declared, deployed and seen, and tells what differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bus.registry.finding import AmbiguousSystemError, UnknownSystemError, found
from bus.registry.join import joined
from bus.registry.model import Difference, Drift, Entry, Facts, Health, Outward, Subscription
from bus.registry.read import version_of
from bus.registry.shown import per_day
from bus.rules.systems import DeclaredSystem
from bus.systems import Seen

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def system(code: str = "LIS", **more: object) -> DeclaredSystem:
    said: dict[str, object] = {
        "code": code,
        "name": {"zh": "检验", "en": "Laboratory"},
        "owner": {"role": "检验科"},
        "services": [
            {
                "types": ["ORU^R01"],
                "protocol": "mllp",
                "contract": {"kind": "hl7v2", "version": "2.5"},
            }
        ],
    }
    return DeclaredSystem.model_validate(said | more)


def seen(sender: str = "LIS", message_type: str = "ORU^R01", protocol: str = "mllp", age: float = 1) -> Seen:
    return Seen("MAIN", sender, protocol, protocol, message_type, NOW - timedelta(days=4), NOW, 40, 3, age)


def fitting(facility: str, sender: str, message_type: str, protocol: str) -> Sequence[str]:
    return [f"{facility}-{message_type}"]


def join(
    *systems: DeclaredSystem,
    rows: Sequence[Seen] = (),
    to: Sequence[Outward] = (),
    told: Sequence[Subscription] = (),
    version: str = "2.5",
) -> list[Entry]:
    facts = Facts(
        declared={"MAIN": systems},
        seen=rows,
        destinations={one.name: one for one in to},
        subscriptions={one.name: one for one in told},
        versions={("MAIN", "LIS", "ORU^R01"): version},
        patience={"MAIN": 60},
    )
    return joined(facts, fitting)


def test_what_is_as_declared_does_not_drift() -> None:
    [one] = join(system(), rows=[seen()])
    assert (one.drift, one.health, one.flows[0].rules) == ([], Health.OK, ["MAIN-ORU^R01"])
    assert per_day(one.flows[0]) == 10.0


def test_a_system_that_never_sent_is_unseen_and_still_feeds_its_rules() -> None:
    [one] = join(system())
    assert (one.drift, one.health) == ([Drift(Difference.NEVER_SEEN, "")], Health.UNSEEN)
    assert [(flow.last_seen, flow.rules) for flow in one.flows] == [(None, ["MAIN-ORU^R01"])]


@pytest.mark.parametrize(
    ("row", "version", "drift"),
    [
        (seen(), "2.4", Drift(Difference.OTHER_VERSION, "ORU^R01", "2.5", "2.4")),
        (seen(protocol="rest"), "2.5", Drift(Difference.OTHER_WAY, "ORU^R01", "mllp", "rest")),
    ],
)
def test_a_contract_that_traffic_does_not_keep_is_told(row: Seen, version: str, drift: Drift) -> None:
    [one] = join(system(), rows=[row], version=version)
    assert one.drift == [drift]


def test_a_type_that_is_not_declared_and_one_that_never_came_are_told() -> None:
    [one] = join(system(), rows=[seen(message_type="ORU^R30")])
    assert one.drift == [
        Drift(Difference.NEVER_SEEN, "ORU^R01", declared="mllp"),
        Drift(Difference.UNDECLARED_TYPE, "ORU^R30", found="mllp"),
    ]


def test_a_star_stands_for_any_type() -> None:
    service = {"types": ["ORU^*"], "protocol": "mllp", "contract": {"kind": "hl7v2", "version": "2.5"}}
    [one] = join(system(services=[service]), rows=[seen(message_type="ORU^R30")])
    assert one.drift == []


def test_silence_is_told_as_the_alert_has_it() -> None:
    [one] = join(system(), rows=[seen(age=61)])
    assert one.health is Health.SILENT


def test_senders_of_one_system_are_one() -> None:
    [one] = join(system("HIS", senders=["LIS", "OLD"]), rows=[seen(), seen("OLD")])
    assert [(flow.message_type, flow.messages) for flow in one.flows] == [("ORU^R01", 80)]


def test_what_nobody_declared_is_there_and_says_so() -> None:
    to, told = Outward("ward", "HP", "mllp", ["MAIN-ORU^R01"]), Subscription("drugs", ["drug"])
    entries = join(rows=[seen("NIS")], to=[to], told=[told])
    assert [(one.facility, one.code) for one in entries] == [
        ("GROUP", "drugs"),
        ("HP", "ward"),
        ("MAIN", "NIS"),
    ]
    assert all(one.drift == [Drift(Difference.UNDECLARED_SYSTEM, "")] for one in entries)


def test_a_declared_receiver_has_its_destination_and_its_trouble() -> None:
    to = Outward("ward", "MAIN", "mllp", [], alerts=["destination_age"])
    [one] = join(system(receives=["ward"]), rows=[seen()], to=[to])
    assert (one.receives, one.health, one.silent) == ([to], Health.TROUBLED, False)
    [one] = join(system(receives=["ward"]), rows=[seen(age=61)], to=[to])
    assert (one.health, one.silent) == (Health.TROUBLED, True)


def test_what_is_not_deployed_is_told() -> None:
    [one] = join(system(services=[], receives=["ward"], subscriptions=["drugs"]))
    assert one.drift == [Drift(Difference.NO_DESTINATION, "ward"), Drift(Difference.NO_SUBSCRIBER, "drugs")]
    assert (one.health, one.receives[0].deployed) == (Health.OK, False)


def test_a_system_is_found_by_code_or_sender_and_never_guessed() -> None:
    entries = [
        Entry("MAIN", "LIS", None),
        Entry("HP", "LIS", None),
        Entry("HY", "HIS", system(senders=["visit"])),
    ]
    assert found(entries, "LIS", "HP").facility == "HP"
    assert found(entries, "visit").code == "HIS"
    with pytest.raises(AmbiguousSystemError, match="MAIN, HP"):
        found(entries, "LIS")
    with pytest.raises(UnknownSystemError, match="LISS"):
        found(entries, "LISS")


@pytest.mark.parametrize(
    ("head", "version"),
    [
        (b"MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.5^CHN\rPID|", "2.5"),
        (b"\xef\xbb\xbfMSH$*~\\&$A$B$C$D$1$$ADT*A01$1$P$2.4*X\r", "2.4"),
        (b"MSH|^~\\&|A|B\rPID|1|2|3|4|5|6|7|8|9|10|11|12", ""),
        (b"<x/>", ""),
        (b"MSH", ""),
    ],
)
def test_the_version_is_read_from_the_header_alone(head: bytes, version: str) -> None:
    assert version_of(head) == version
