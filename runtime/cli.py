"""The command line behind `./yilian`: one file for each verb in `runtime/verbs`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from consortium.errors import YilianError
from runtime.ending import READER_LEFT, end
from runtime.words import complain, words

VERBS = (
    "up",
    "test",
    "status",
    "logs",
    "down",
    "token",
    "access",
    "rules",
    "documents",
    "rebuild",
    "export",
    "messages",
    "destinations",
    "codes",
    "master",
    "alerts",
    "systems",
    "identity",
    "workflows",
    "gateway",
    "demo",
    "bench",
)


def _verb(name: str) -> ModuleType:
    return import_module(f"runtime.verbs.{name}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="./yilian",
        description=words(
            "Yilian, the integration bus of a medical consortium.", "医联：医联体集成总线，以工作流编排。"
        ),
        epilog=words(
            "Begin with `./yilian up`. State lies in .yilian ($YILIAN_HOME), settings in its settings.toml.",
            "首先运行 `./yilian up`。数据存放在 .yilian（或 $YILIAN_HOME），配置写在其中的 settings.toml。",
        ),
    )
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    for name in VERBS:
        module = _verb(name)
        passes_on = hasattr(module, "passed_on")
        one = verbs.add_parser(
            name, help=module.summary(), description=module.summary(), add_help=not passes_on
        )
        if passes_on:
            one.add_argument("rest", nargs=argparse.REMAINDER)
        else:
            module.configure(one)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        # What belongs to another room's command line reaches it untouched, options and --help included.
        if argv and argv[0] in VERBS and hasattr(_verb(argv[0]), "passed_on"):
            return int(_verb(argv[0]).passed_on(argv[1:]))
        arguments = parser().parse_args(argv)
        return int(_verb(arguments.verb).run(arguments))
    except YilianError as error:
        complain(str(error))
        return 1
    except BrokenPipeError:  # the reader of our output went away (| head)
        sys.stderr.close()
        return READER_LEFT
    except KeyboardInterrupt:
        complain(words("interrupted", "已中断"))
        return 130


if __name__ == "__main__":
    end(main())
