"""`yilian identity model`: which model is in force, for how many numbers; the same for another size."""

from __future__ import annotations

import argparse
from pathlib import Path

import sqlalchemy as sa

from bus.terminal import show_json, write
from consortium.errors import PermanentError
from consortium.identity.matching import active, dump
from runtime.words import words

_STORED = "SELECT count(*) FROM identity.source_patient"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--numbers", type=int, help=words("write it for so many numbers", "按该编号总数生成模型")
    )
    parser.add_argument("--out", type=Path, help=words("file that is written", "写入的文件"))


def run(engine: sa.Engine, options: argparse.Namespace) -> int:
    """Tell, and write the model where a size is given; nothing is in force by that."""
    if (options.numbers is None) != (options.out is None):
        raise PermanentError("give --numbers and --out together", zh="--numbers 与 --out 须同时给出")
    with engine.connect() as connection:
        stored: int = connection.exec_driver_sql(_STORED).scalar_one()
    model = active() if options.numbers is None else active().for_numbers(max(options.numbers, 1))
    if stored > model.numbers:
        raise PermanentError(
            f"{stored:,} numbers are stored, and the model is for {model.numbers:,}: unlike people would be"
            " linked; give more --numbers, with --out",
            zh=f"已有 {stored:,} 个编号，而模型按 {model.numbers:,} 个设定，会误合并：请增大 --numbers",
        )
    if options.out is not None:
        dump(model, options.out)
    said = {"version": model.version, "numbers": model.numbers, "stored": stored}
    if options.json:
        return show_json({**said, "automatic": model.automatic, "review": model.review})
    write(
        words(
            f"{model.version}: for {model.numbers:,} numbers; {stored:,} are stored",
            f"{model.version}：按 {model.numbers:,} 个编号设定；现有 {stored:,} 个",
        )
    )
    return 0
