"""The order of start, and what a start tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.catalogue import platform
from runtime.plan import Condition, levels
from runtime.settings import FilePlace, Settings
from runtime.start import changes


def test_what_needs_nothing_starts_first_and_side_by_side() -> None:
    needs = {"router": ["schema", "rabbitmq"], "schema": ["postgres"], "postgres": [], "rabbitmq": []}
    assert levels(needs) == [["postgres", "rabbitmq"], ["schema"], ["router"]]


def test_a_circle_is_refused_with_its_names() -> None:
    with pytest.raises(ValueError, match="in a circle: a, b"):
        levels({"a": ["b"], "b": ["a"], "c": []})


def test_a_requirement_outside_the_plan_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match="not in the plan: postgres"):
        levels({"api": ["postgres"]})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    return Settings(
        airflow_key="00" * 32, database_url="postgresql://u:p@127.0.0.1:1/yilian", amqp_url="amqp://u:p@h:1/"
    )


def test_the_platforms_plan_can_be_ordered_and_has_every_service(settings: Settings) -> None:
    plan = platform(settings)
    order = levels(plan.requirements)
    level = {name: number for number, names in enumerate(order) for name in names}
    assert {
        "postgres",
        "rabbitmq",
        "temporal",
        "airflow-api",
        "airflow-scheduler",
        "airflow-dags",
    } <= level.keys()
    assert {"airflow-triggerer", "api", "mllp", "tables", "relay", "router", "worker"} <= level.keys()
    assert level["postgres"] < level["databases"] < level["schema"] < level["router"]
    assert level["rabbitmq"] < level["relay"]
    assert level["temporal"] < level["worker"]


def test_files_are_taken_only_where_a_source_may_have_a_place(settings: Settings, tmp_path: Path) -> None:
    def names(*places: str) -> set[str]:
        told = {name: FilePlace(url="/drop") for name in places}
        given = settings.model_copy(update={"rules_dir": tmp_path, "file_places": told})
        return {service.name for service in platform(given).services}

    described = tmp_path / "destinations" / "a_destination.yaml"
    described.parent.mkdir(parents=True)
    described.touch()
    assert "files" not in names()
    assert "files" not in names("a_destination")
    assert "files" in names("ns_lab", "a_destination"), "a set that is deployed later may describe it"


def test_a_server_that_somebody_else_runs_is_asked_but_not_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YILIAN_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("YILIAN_AMQP_URL", settings.amqp_url)
    monkeypatch.setenv("YILIAN_TEMPORAL_ADDRESS", "127.0.0.1:1")
    services = {service.name: service for service in platform(settings).services}
    assert (
        services["postgres"].command is services["rabbitmq"].command is services["temporal"].command is None
    )
    assert services["api"].command is not None


def test_no_address_that_is_shown_holds_a_password(settings: Settings) -> None:
    assert [s.url for s in platform(settings).services if ":p@" in s.url] == []


def test_each_change_is_told_once() -> None:
    before = {"api": Condition(state="starting"), "router": Condition(state="healthy")}
    after = {
        "api": Condition(state="healthy", detail="answers"),
        "router": Condition(state="backoff", error="it ended by itself (exit 1)"),
    }
    assert changes(before, after) == ["✓ api: answers", "✗ router: it ended by itself (exit 1)"]
    assert changes(after, after) == []


def test_a_part_of_the_plan_holds_what_it_needs_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    whole = platform(Settings(airflow_key="00" * 32))
    assert set(whole.only(["rabbitmq", "databases"]).requirements) == {
        "epmd",
        "rabbitmq",
        "postgres",
        "databases",
    }
    with pytest.raises(ValueError, match="not in the plan: oracle"):
        whole.only(["oracle"])
