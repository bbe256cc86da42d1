"""`yilian documents …`: what is wrong with a WS/T 500 document, how it looks, and how the store stands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bus import documents_console
from bus.cda.heading import V3
from bus.cda.html import render
from bus.cda.problem import DocumentError
from bus.cda.validation import Finding, document_of, findings, schemas_of
from bus.fulltext.console import search_arguments
from bus.rules.loader import load_rules
from bus.rules.schematron import Severity
from bus.rules.verbs.output import CommandError, rules_dir, takes_rules
from bus.terminal import show_json, write
from consortium.errors import YilianError
from runtime.words import complain, words


def documents_main(argv: Sequence[str]) -> int:
    """Run `documents …`; returns 0 when all is well, 1 for mistakes, 2 for a wrong command line."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        return int(options.run(options))
    except YilianError as error:
        complain(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian documents",
        description=words(
            "Check, show and find clinical documents (WS/T 500, CDA), and look after their store.",
            "检查、显示、检索共享文档 (WS/T 500, CDA)，并检查文档存储。",
        ),
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    text = words("tell every mistake by element, rule and what to do", "逐条指出错误的元素、规则与处理办法")
    validate = commands.add_parser("validate", help=text, description=text)
    validate.add_argument("files", metavar="FILE", nargs="+", type=Path)
    validate.add_argument(
        "--facility", help=words("check by this campus's rules alone", "仅按该院区的规则检查")
    )
    takes_rules(validate)
    validate.set_defaults(run=_validate)
    text = words("write a document as an HTML page", "将文档输出为 HTML 页面")
    page = commands.add_parser("page", help=text, description=text)
    page.add_argument("file", metavar="FILE", type=Path)
    page.set_defaults(run=_page)
    text = words("find documents by their text", "按内容检索文档")
    search_arguments(commands.add_parser("search", help=text, description=text))
    text = words("see that every shared document is there and whole", "检查共享文档的内容是否齐全、完好")
    documents_console.arguments(commands.add_parser("check", help=text, description=text))
    text = words(
        "move contents out of PostgreSQL into the documents' store", "将文档内容从数据库移至文档存储"
    )
    documents_console.move_arguments(commands.add_parser("move", help=text, description=text))
    text = words("write all documents of one person into a folder", "将某人的全部文档导出到文件夹")
    documents_console.export_arguments(commands.add_parser("export", help=text, description=text))
    return parser


def _validate(options: argparse.Namespace) -> int:
    folder = rules_dir(options)
    rules = load_rules(folder).rules
    told: list[dict[str, Any]] = []
    errors = 0
    for path in options.files:
        found = _findings(path, rules, options.facility, folder)
        errors += sum(one.severity is Severity.ERROR for one in found)
        told.append({"file": str(path), "findings": [_as_json(one) for one in found]})
        if not options.json:
            _show(path, found)
    if options.json:
        show_json(told)
    return 1 if errors else 0


def _findings(path: Path, rules: Sequence[Any], facility: str | None, folder: Path) -> list[Finding]:
    try:
        root = document_of(_read(path))
        code = root.find(f"{{{V3}}}code")
        type_ = "" if code is None else code.get("code", "")
        schemas = schemas_of(rules, type_, facility, folder)
        found = list(findings(root, schemas))
    except DocumentError as error:
        return [Finding(error.code, Severity.ERROR, error.path, error.chinese, error.english)]
    if not schemas:
        english = f"no rule takes documents of the kind {type_!r}: the content is unchecked; write a rule"
        chinese = f"没有规则接收 {type_!r} 类文档, 其内容未检查; 请编写规则"
        found.append(Finding("no_rule", Severity.WARNING, "ClinicalDocument/code", chinese, english))
    return found


def _page(options: argparse.Namespace) -> int:
    sys.stdout.buffer.write(render(_read(options.file)))
    sys.stdout.flush()
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}; name a file that can be read") from error


def _show(path: Path, found: Sequence[Finding]) -> None:
    for one in found:
        severity = words(one.severity.value, "错误" if one.severity is Severity.ERROR else "警告")
        place = f"{one.path}: " if one.path else ""
        write(f"{path}: {severity} {one.rule} {place}{words(one.english, one.chinese)}")
    errors = sum(one.severity is Severity.ERROR for one in found)
    warnings = len(found) - errors
    write(
        words(f"{path}: {errors} errors, {warnings} warnings", f"{path}：{errors} 个错误，{warnings} 个警告")
    )


def _as_json(one: Finding) -> dict[str, str]:
    return {
        "rule": one.rule,
        "severity": one.severity.value,
        "path": one.path,
        "chinese": one.chinese,
        "english": one.english,
    }
