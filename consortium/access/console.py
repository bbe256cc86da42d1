"""`./yilian token`: a bearer token for whoever may read the settings' signing key."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError

from consortium.access import audit, sign_in, tokens
from consortium.access.seed import SAMPLE_USERS
from consortium.errors import YilianError
from runtime.settings import Settings, load


def token_main(argv: Sequence[str]) -> int:
    """Print a bearer token for `--user NAME` and nothing else; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="yilian token", description="Print a bearer token for the API (15 minutes)."
    )
    parser.add_argument(
        "--user", required=True, metavar="NAME", help=", ".join(s.username for s in SAMPLE_USERS)
    )
    parser.add_argument("--json", action="store_true", help="print an object with token, user and lifetime")
    arguments = parser.parse_args(argv)
    try:
        token = issue(load(), arguments.user, datetime.now(UTC))
    except YilianError as error:
        sys.stderr.write(f"yilian token: {error}\n")
        return 1
    except OperationalError:
        sys.stderr.write("yilian token: the database does not answer; run ./yilian up first\n")
        return 1
    answer = {"user": arguments.user, "token": token, "expires_in": int(tokens.LIFETIME.total_seconds())}
    sys.stdout.write((json.dumps(answer) if arguments.json else token) + "\n")
    return 0


def issue(settings: Settings, username: str, now: datetime) -> str:
    """Issue a token for an open account and put that in the audit. Raises YilianError, OperationalError."""
    url = settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not url:
        raise YilianError("the setting database_url is empty; run ./yilian up first")
    engine = create_engine(url, hide_parameters=True)
    try:
        return _issue(engine, settings.token_key, username, now)
    finally:
        engine.dispose()


def _issue(engine: Engine, key: str, username: str, now: datetime) -> str:
    user = sign_in.by_name(engine, username)
    token = tokens.issue(username, key, now)
    note = audit.entry(
        user, sign_in.ACTION, None, "account", "allowed", "token issued on the console", request_id="console"
    )
    with engine.begin() as connection:
        audit.append(connection, note)
    return token
