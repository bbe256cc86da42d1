"""CEL expressions, compiled once and asked of many messages."""

from __future__ import annotations

import re
from typing import Any, Final

import cel

from bus.sources.source import Source

MSG: Final = "msg"
VARIABLES: Final = frozenset({MSG})
MACRO: Final = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*(\w+)\s*,")
"""Macros bind a variable of their own, which the compiler lists among the free ones."""
FIELD: Final = "field"
"""Function of one argument: the text at a path, empty when absent."""


FUNCTIONS: Final = frozenset(
    {FIELD, "bytes", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth"}
    | {"getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth"}
    | {"getSeconds", "int", "matches", "size", "startsWith", "string", "timestamp", "type", "uint"}
)
"""Functions that an expression may call; operators and macros have names of their own."""
OPERATOR: Final = re.compile(r"[@_!].*|.*_")
SPOT: Final = re.compile(r"<input>:(\d+):(\d+)")


class ExpressionError(ValueError):
    """An expression that does not compile, or failed on a message; says where in it."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line, self.column = line, column


class Expression:
    """One compiled expression over `msg` and `field("PATH")`."""

    __slots__ = ("_program", "reads_fields", "reads_msg", "text")

    def __init__(self, text: str) -> None:
        try:
            program = cel.compile(text)
        except ValueError as error:
            spot = SPOT.search(str(error))
            line, column = (int(spot[1]), int(spot[2])) if spot else (1, 1)
            raise ExpressionError(f"CEL does not compile: {_brief(error)}", line, column) from error
        unknown = set(program.variables()) - VARIABLES - set(MACRO.findall(text))
        if unknown:
            raise ExpressionError(f"CEL knows no {', '.join(sorted(unknown))}: only msg and field()")
        calls = {name for name in program.functions() if OPERATOR.fullmatch(name) is None}
        if calls - FUNCTIONS:
            raise ExpressionError(f"CEL has no function {', '.join(sorted(calls - FUNCTIONS))}")
        self.text = text
        self._program = program
        self.reads_fields = FIELD in program.functions()
        self.reads_msg = MSG in program.variables()

    def evaluate(self, context: cel.Context) -> Any:
        """Return the value; raises `ExpressionError`."""
        try:
            return self._program.execute(context)
        except KeyError as error:
            raise ExpressionError(f"CEL: msg has no {error}; ask has(msg.…) first") from error
        except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
            raise ExpressionError(f"CEL failed: {type(error).__name__}") from error

    def test(self, context: cel.Context) -> bool:
        """Return the value of a condition; raises `ExpressionError` when it is not a bool."""
        value = self.evaluate(context)
        if not isinstance(value, bool):
            raise ExpressionError("CEL: a condition must be true or false")
        return value


def context_of(source: Source, *, msg: bool = True, fields: bool = True) -> cel.Context:
    """Return the context of one source, to be asked many expressions; what is left out makes it cheaper."""
    context = cel.Context()
    if msg:
        context.add_variable(MSG, dict(source.cel()))
    if fields:
        context.add_function(FIELD, lambda path: source.get(path) or "")
    return context


def _brief(error: ValueError) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].rpartition("Syntax error: ")[2].strip() if lines else "syntax error"
