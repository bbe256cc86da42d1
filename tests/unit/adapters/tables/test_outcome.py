"""What a database's error says of the row that was written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from psycopg import errors as postgres
from pymysql import err as mysql
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from adapters.tables.outcome import judged
from bus.delivery.transport import Verdict

Wrapped = Callable[[str, None, Exception], DBAPIError]


@pytest.mark.parametrize(
    ("wrapped", "original", "verdict", "code"),
    [
        (IntegrityError, postgres.CheckViolation("欧阳珅"), Verdict.NEVER, "23514"),
        (DataError, postgres.StringDataRightTruncation(""), Verdict.NEVER, "22001"),
        (OperationalError, postgres.LockNotAvailable(""), Verdict.LATER, "55P03"),
        (OperationalError, postgres.DeadlockDetected(""), Verdict.LATER, "40P01"),
        (ProgrammingError, postgres.InsufficientPrivilege(""), Verdict.WRONG_DOOR, "42501"),
        (OperationalError, mysql.OperationalError(1205, "Lock wait"), Verdict.LATER, "1205"),
        (OperationalError, mysql.OperationalError(1366, "欧阳珅"), Verdict.NEVER, "1366"),
        (OperationalError, mysql.OperationalError(4025, "CONSTRAINT"), Verdict.NEVER, "4025"),
        (OperationalError, mysql.OperationalError(1142, "denied"), Verdict.WRONG_DOOR, "1142"),
        (OperationalError, mysql.OperationalError(1290, "read only"), Verdict.WRONG_DOOR, "1290"),
        (IntegrityError, Exception("ORA-00001: unique constraint"), Verdict.NEVER, "ORA-00001"),
        (DatabaseError, Exception("ORA-00060: deadlock"), Verdict.LATER, "ORA-00060"),
        (ProgrammingError, Exception(207, b"Invalid column name"), Verdict.WRONG_DOOR, "207"),
        (OperationalError, Exception("欧阳珅"), Verdict.LATER, "Exception"),
    ],
)
def test_an_error_says_whether_to_try_again_and_its_code_quotes_nothing(
    wrapped: Wrapped, original: Exception, verdict: Verdict, code: str
) -> None:
    found = judged(wrapped("INSERT", None, original))
    assert (found.verdict, found.code) == (verdict, code)
    assert found.raw == str(original).encode()


def test_a_connection_that_is_lost_before_the_commit_wrote_nothing() -> None:
    error = OperationalError("INSERT", None, Exception(2013, "lost"), connection_invalidated=True)
    assert judged(error).verdict is Verdict.LATER
