"""The registry's words for people, in both languages."""

from __future__ import annotations

from bus.registry.model import Difference, Drift, Health
from runtime.words import words


def told_drift(one: Drift) -> str:
    """Say one difference, and what to do about it."""
    match one.what:
        case Difference.NEVER_SEEN if not one.subject:
            return words("declared, but no message ever came", "已登记，但从未收到消息")
        case Difference.NEVER_SEEN:
            return words(f"{one.subject}: declared, and never came", f"{one.subject}：已登记，但从未收到")
        case Difference.UNDECLARED_SYSTEM:
            return words("not declared: write it in systems.yaml", "未登记：请写入 systems.yaml")
        case Difference.UNDECLARED_TYPE:
            return words(
                f"{one.subject}: comes by {one.found}, and is not declared",
                f"{one.subject}：经 {one.found} 收到，但未登记",
            )
        case Difference.OTHER_WAY:
            return words(
                f"{one.subject}: declared by {one.declared}, comes by {one.found}",
                f"{one.subject}：登记为 {one.declared}，实际经 {one.found}",
            )
        case Difference.OTHER_VERSION:
            return words(
                f"{one.subject}: version {one.declared} is declared, MSH-12 says {one.found}",
                f"{one.subject}：登记版本 {one.declared}，MSH-12 为 {one.found}",
            )
        case Difference.NO_DESTINATION:
            return words(f"{one.subject}: no such destination is deployed", f"{one.subject}：目的地未部署")
        case Difference.NO_SUBSCRIBER:
            return words(
                f"{one.subject}: no such subscriber (./yilian master subscribe)",
                f"{one.subject}：无此订阅方（./yilian master subscribe）",
            )


def told_health(health: Health) -> str:
    """Say how a system stands."""
    return {
        Health.OK: words("ok", "正常"),
        Health.UNSEEN: words("never seen", "从未收到"),
        Health.SILENT: words("silent", "静默"),
        Health.TROUBLED: words("troubled", "告警"),
    }[health]
