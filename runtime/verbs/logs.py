"""`./yilian logs NAME [-f]`: a service's log."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from runtime import log
from runtime.failure import SetupError
from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("print a service's log (-f: go on as it grows)", "查看某个服务的日志（-f：持续输出）")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help=words("a service; without it: which there are", "服务名；省略则列出可选服务"),
    )
    parser.add_argument(
        "-f", "--follow", action="store_true", help=words("go on as it grows", "持续输出新日志")
    )
    parser.add_argument(
        "-n",
        "--lines",
        type=int,
        default=200,
        help=words("how many lines back (200)", "显示最后多少行（默认 200）"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the last lines, then with -f what is appended until interrupted."""
    if arguments.name is None:
        print(
            "\n".join(log.names())
            or words("no log yet; start with ./yilian up", "尚无日志；请先运行 ./yilian up")
        )
        return 0
    if arguments.name not in log.names():
        raise SetupError(
            words(f"there is no log named {arguments.name}", f"没有名为 {arguments.name} 的日志"),
            words("one of: ", "可选：")
            + (", ".join(log.names()) or words("none yet; ./yilian up", "暂无；请先运行 ./yilian up")),
        )
    path = log.path(arguments.name)
    for line in log.last_lines(path, arguments.lines):
        print(line)
    if arguments.follow:
        for text in appended(path, path.stat().st_size):
            sys.stdout.write(text)
            sys.stdout.flush()
    return 0


def appended(path: Path, position: int, pause: float = 0.3) -> Iterator[str]:
    """Yield what is appended to the file after `position`; a file that was emptied is read from its start."""
    while True:
        size = path.stat().st_size
        position = position if size >= position else 0
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                content = file.read()
            position += len(content)
            yield content.decode("utf-8", errors="replace")
        time.sleep(pause)
