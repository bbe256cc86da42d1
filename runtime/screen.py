"""The closing screen of `up`: what happened, where everything is, how to sign in, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from runtime.settings import Settings
from runtime.words import words

SAMPLE_USERS = (
    "admin, engineer, ops, coordinator.main, doctor.main, doctor.huangpu, manager.group, patient.demo …"
)

_HEADINGS = (
    ("sent", "已发送"),
    ("recorded", "已入库"),
    ("held", "挂起"),
    ("refused", "拒收"),
    ("repeated", "重复"),
)


def counts(campuses: Mapping[str, Any], settings: Settings) -> Table:
    """Return what each campus sent and what became of it; `campuses` as `play_sample_day` gives it."""
    table = Table(
        title=words("The sample day", "示例数据（一日）"), title_justify="left", box=None, pad_edge=False
    )
    table.add_column(words("campus", "院区"))
    for heading in _HEADINGS:
        table.add_column(words(*heading), justify="right")
    table.add_column(words("why held or refused", "挂起或拒收原因"))
    for code, told in campuses.items():
        campus = settings.campus(code)
        name = f"{campus.name} {code}" if campus else code
        table.add_row(name, *map(str, figures(told)), reasons({**told["held"], **told["refusals"]}))
    return table


def figures(told: Mapping[str, Any]) -> tuple[int, int, int, int, int]:
    """Return sent, recorded, held, refused, repeated: the first is the sum of the others."""
    return told["sent"], told["recorded"], sum(told["held"].values()), told["refused"], told["duplicates"]


def verdict(campuses: Mapping[str, Any]) -> str:
    """Return the sentence on whether the day went as its plan foresaw."""
    other = [code for code, told in campuses.items() if not as_expected(told)]
    if not other:
        return words("Every message is where the day's plan foresaw it.", "每条消息的处理结果均与预期一致。")
    names = ", ".join(other)
    return words(
        f"Not as the day's plan foresaw: {names}. Look: ./yilian messages list --state held",
        f"与预期不一致：{names}。请查看：./yilian messages list --state held",
    )


def as_expected(told: Mapping[str, Any]) -> bool:
    """Return whether a campus's figures are those that its plan foresaw."""
    return all(told.get(name) == value for name, value in told["expected"].items())


def reasons(held: Mapping[str, int]) -> str:
    """Return the reasons with their counts, the most frequent first."""
    ordered = sorted(((-count, code) for code, count in held.items() if count))
    return ", ".join(f"{code} {-count}" for count, code in ordered) or "—"


def places(endpoints: Mapping[str, str]) -> Table:
    """Return where everything is found."""
    table = Table(
        title=words("Where to look", "访问地址"),
        title_justify="left",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    table.add_column()
    table.add_column(no_wrap=True)
    named = {
        "docs": words("API, with interactive documentation", "API（含在线文档）"),
        "fhir": "FHIR R4",
        "mllp": "HL7 v2 MLLP",
        "pix": words("PIX, PDQ (HL7 v2)", "患者主索引 PIX、PDQ（HL7 v2）"),
        "soap_wsdl": words("SOAP, WSDL", "SOAP（WSDL）"),
        "rabbitmq_ui": "RabbitMQ",
        "temporal_ui": "Temporal",
        "airflow_ui": "Airflow",
        "web": words("Site", "网站"),
    }
    for key, name in named.items():
        table.add_row(name, endpoints[key])
    return table


def sign_in(file: str) -> Text:
    """Return how to sign in; no password is shown."""
    lines = words(
        f"Sample users: {SAMPLE_USERS}\n"
        f"Passwords (only you can read the file): {file}\n"
        "  sample_password: API · amqp_password: RabbitMQ (yilian) · airflow_password: Airflow (admin)\n"
        "A bearer token: ./yilian token --user doctor.main",
        f"示例用户：{SAMPLE_USERS}\n"
        f"口令（仅本人可读）：{file}\n"
        "  sample_password：API · amqp_password：RabbitMQ（yilian）· airflow_password：Airflow（admin）\n"
        "获取访问令牌：./yilian token --user doctor.main",
    )
    return Text(lines)


def next_steps() -> Text:
    """Return what to try next."""
    return Text(
        words(
            "Next: ./yilian status · ./yilian messages list · ./yilian logs router -f · ./yilian down",
            "下一步：./yilian status · ./yilian messages list · ./yilian logs router -f · ./yilian down",
        )
    )


def show(
    console: Console,
    settings: Settings,
    endpoints: Mapping[str, str],
    campuses: Mapping[str, Any] | None,
    file: str,
) -> None:
    """Print the closing screen. Without a sample day it says how to get one."""
    empty = words(
        "No sample day was played here: ./yilian up (without --no-sample) plays it.",
        "尚未写入示例数据：运行 ./yilian up（不带 --no-sample）即可。",
    )
    gap = Text("")
    first: RenderableType = Text(empty)
    if campuses:
        first = Group(counts(campuses, settings), Text(verdict(campuses)))
    content = Group(first, gap, places(endpoints), gap, sign_in(file), gap, next_steps())
    console.print(
        Panel(content, title=words("Yilian 医联 is up", "医联已启动"), title_align="left", padding=(1, 2))
    )
