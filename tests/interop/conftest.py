"""A real listener with the real inbox, the whole API, and messages and clients that nobody here wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from api.app import create_app
from bus.inbox import Inbox
from bus.rules.ruleset import RuleSet
from consortium.access.seed import seed_sample_users
from tests.conftest import CHECKOUT
from tests.integration.api.conftest import PASSWORD, connected, settings_for
from tests.interop import sources
from tests.interop.sources import Sample
from tests.serving import served

FOREIGN_CAMPUSES = ("BLDG4", "ELAB-3", "ABCHS", "HNA500", "SENDING FAC", "SEND FAC", "REC FAC", "DH")
"""MSH-4 of the samples. LIP is left out: somebody unknown must be there too."""

SETTINGS = MllpSettings(
    "127.0.0.1", 0, dict.fromkeys((*FOREIGN_CAMPUSES, "MAIN"), "utf-8"), body_limit=1024 * 1024, patience=0.0
)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Every message in the tests of the source packages."""
    archives = sources.fetch(tmp_path_factory.mktemp("sources"))
    return [sample for archive in archives for sample in sources.samples(archive)]


@pytest.fixture
async def listener(database_url: str) -> AsyncIterator[Listener]:
    """A listener that knows the campuses of the samples."""
    async with Inbox(database_url, "key", patience=SETTINGS.patience) as inbox:
        listener = Listener(SETTINGS, inbox)
        await listener.start()
        yield listener
        await listener.stop()


@pytest.fixture(scope="session")
def foreign_rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """The main campus's rules as the rules of each campus of the samples, whoever there sends; of HL7 table
    0001 they know F and M.
    """
    folder = tmp_path_factory.mktemp("foreign") / "rules"
    shutil.copytree(CHECKOUT / "rules", folder)
    for number, campus in enumerate(FOREIGN_CAMPUSES):
        mine = folder / "campuses" / f"foreign{number}"
        mine.mkdir()
        for path in (folder / "campuses" / "main").glob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            text = text.replace("facility: MAIN", f"facility: {campus}").replace(
                ' && msg.sender == "LIS"', ""
            )
            text = text.replace("name: main-", f"name: foreign{number}-", 1)
            (mine / path.name).write_text(text, encoding="utf-8")
    with (folder / "codes" / "sex.csv").open("a", encoding="utf-8") as table:
        for campus in FOREIGN_CAMPUSES:
            table.write(f"{campus},F,female,,\n{campus},M,male,,\n")
    return RuleSet.load(folder)


@pytest.fixture
def engine(database_url: str) -> sa.Engine:
    """The database with the sample users, beside the API."""
    engine = connected(database_url)
    with engine.begin() as connection:
        seed_sample_users(connection, PASSWORD)
    return engine


@pytest.fixture
def origin(engine: sa.Engine, database_url: str, tmp_path: Path) -> Iterator[str]:
    """host:port of the whole API."""
    settings = settings_for(database_url).model_copy(
        update={"documents_store": str(tmp_path), "export_folder": tmp_path / "exports"}
    )
    app = create_app(settings)
    with served(app) as origin:
        yield origin
    app.state.platform.engine.dispose()


@pytest.fixture
def messages_list(database_url: str) -> Callable[..., list[dict[str, Any]]]:
    """`./yilian messages list`, as a program calls it."""

    def ask(*arguments: str) -> list[dict[str, Any]]:
        program = "import sys; from bus.console import messages_main; sys.exit(messages_main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", program, "list", "--json", "--limit", "500", *arguments],
            env={**os.environ, "YILIAN_DATABASE_URL": database_url},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["messages"]
        return found

    return ask
