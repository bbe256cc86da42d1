"""What a database's error says of the row that was written: never, later, or nobody could have written it."""

from __future__ import annotations

import re

from sqlalchemy.exc import DataError as WrongData
from sqlalchemy.exc import DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from bus.delivery.transport import Answer, Verdict

_NEVER = frozenset({"1048", "1062", "1264", "1265", "1292", "1364", "1366", "1406", "3819", "4025"})
"""MySQL and MariaDB: values that do not fit, duplicates, checks."""
_NOT_US = frozenset({"1044", "1045", "1049", "1054", "1142", "1143", "1146", "1290"})
"""MySQL and MariaDB: permissions, columns and tables that are gone, a server that is read only."""
_NUMBER = re.compile(r"ORA-(\d{5})")


def code_of(error: DBAPIError) -> str:
    """Return the database's own number or SQLSTATE, else the name of the error; nothing of a row."""
    original = error.orig
    first = original.args[0] if original is not None and original.args else None
    if isinstance(first, int):
        return str(first)
    if state := getattr(original, "sqlstate", None):
        return str(state)
    if found := _NUMBER.match(str(first)):
        return f"ORA-{found[1]}"
    return type(original or error).__name__


def judged(error: DBAPIError) -> Answer:
    """Say what an error before the commit means; its text is kept as the answer, for it may quote the row."""
    code = code_of(error)
    return Answer(_verdict(error, code), code, str(error.orig).encode())


def _verdict(error: DBAPIError, code: str) -> Verdict:
    if error.connection_invalidated:
        return Verdict.LATER  # what was not committed is rolled back
    if isinstance(error, IntegrityError | WrongData) or code in _NEVER:
        return Verdict.NEVER
    if isinstance(error, ProgrammingError | NotSupportedError) or code in _NOT_US:
        return Verdict.WRONG_DOOR
    return Verdict.LATER
