"""`./yilian export`: handed on to `api.fhir.export.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("export records as files (FHIR bulk data)", "导出诊疗数据（FHIR 批量导出）")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from api.fhir.export.console import export_main

    return export_main(argv)
