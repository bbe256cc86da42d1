"""`./yilian demo NAME`: plays a whole path on the running platform, told step by step."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from runtime.catalogue import endpoints
from runtime.settings import Settings, load
from runtime.words import complain, words
from simulators.delivery import SimulatorError
from simulators.demos import referral


def demo_main(argv: Sequence[str]) -> int:
    """Play one; returns 0, or 1 when something is not as promised, which is said in one sentence."""
    parser = argparse.ArgumentParser(
        prog="yilian demo", description=words("Play a whole path, step by step.", "逐步演示完整流程。")
    )
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    one = names.add_parser(
        "referral", help=words("a referral up and back down (双向转诊)", "双向转诊：上转、诊疗、下转")
    )
    one.add_argument(
        "--seed", type=int, help=words("the patient's; default: a new one", "患者种子；默认每次为新患者")
    )
    wanted = parser.parse_args(argv)
    try:
        _referral(_complete(load()), int(time.time()) if wanted.seed is None else wanted.seed)
    except SimulatorError as error:
        complain(f"demo {wanted.name}: {error}")
        return 1
    return 0


def _referral(settings: Settings, seed: int) -> None:
    _write(f"患者种子 seed {seed}")
    workflows = referral.play(settings, seed, _write)
    places = endpoints(settings)
    _write("\n到哪里看  Where to look")
    for workflow in workflows.values():
        _write(f"  {places['temporal_ui']}/namespaces/{settings.temporal_namespace}/workflows/{workflow}")
        _write(f"  ./yilian workflows show {workflow}")
    _write(f"  解密查看 signed in for decoded payloads: {places['api']}/temporal")
    _write("\n演示完成，全部符合预期。  Everything was as promised.")


def _complete(settings: Settings) -> Settings:
    if not settings.database_url or not settings.sample_password:
        raise SimulatorError(
            words(
                "nothing was started here: run ./yilian up first",
                "平台尚未启动：请先运行 ./yilian up",
            )
        )
    return settings


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
