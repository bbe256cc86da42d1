"""Whether a destination takes master data: pure, from its file in the deployed rule set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bus.rules.destinations import AnyDestination
from consortium.terminology.subscribers import Subscriber


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing goes to a subscriber and what to do, in both languages."""

    text: str
    zh: str
    missing: bool = False
    """Whether no file names it: one may come with the next deployment."""


def misfit(one: Subscriber, specs: Mapping[str, AnyDestination]) -> Problem | None:
    """Return why a subscriber's changes cannot go to its destination as the rules are deployed; None: they
    can.
    """
    spec = specs.get(one.destination)
    if spec is None:
        return Problem(
            f"no file of the deployed rules describes the destination {one.destination}: write"
            f" rules/destinations/{one.destination}.yaml and deploy it; its changes wait",
            f"已部署的规则中没有目的系统 {one.destination}：请编写"
            f" rules/destinations/{one.destination}.yaml 并部署；变更暂存等待",
            missing=True,
        )
    untaken = [kind for kind in one.kinds if kind not in spec.master_data]
    if not untaken:
        return None
    kinds = ", ".join(untaken)
    if spec.kind == "mllp":
        return Problem(
            f"the destination {spec.name} is of kind mllp, which takes no master data: choose one of kind"
            " rest, webhook, soap, tables or files",
            f"目的系统 {spec.name} 的类型为 mllp，不接收主数据："
            "请选用 rest、webhook、soap、tables 或 files 类型",
        )
    return Problem(
        f"the destination {spec.name} does not take {kinds}: write"
        f" master_data: [{_all(spec.master_data, untaken)}] into its file and deploy it",
        f"目的系统 {spec.name} 不接收 {kinds}：请在其文件中写入"
        f" master_data: [{_all(spec.master_data, untaken)}] 并部署",
    )


def _all(taken: Sequence[str], untaken: Sequence[str]) -> str:
    return ", ".join((*taken, *untaken))
