"""Video is set up from what is pinned, says why where it cannot be, and holds nothing else up."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from pathlib import Path

import pytest

from runtime.catalogue import platform
from runtime.failure import SetupError
from runtime.plan import Condition
from runtime.process import Identity
from runtime.report import explain
from runtime.services import livekit, livekit_build, livekit_run, room_script, video_tools
from runtime.settings import CHECKOUT, Settings
from runtime.state import State


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    return tmp_path


SERVER = livekit.Server(Path(), 7880, 7881, "yilian", "k" * 64, "http://127.0.0.1:8080/api/v1/video/webhook")


def test_all_that_the_server_opens_is_on_loopback_and_rooms_are_made_by_us_alone() -> None:
    told = json.loads(json.dumps(SERVER.configuration()))
    assert told["bind_addresses"] == ["127.0.0.1"]
    assert told["rtc"]["ips"] == {"includes": ["127.0.0.1/32"]}
    assert told["rtc"]["stun_servers"] == ["127.0.0.1:9"]
    assert told["room"]["auto_create"] is False


def test_the_configuration_is_for_its_owner_only(tmp_path: Path) -> None:
    one = livekit.Server(tmp_path / "livekit", 1, 2, "yilian", "secret", "http://127.0.0.1:3/x")
    path = one.create()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == one.configuration()
    assert "secret" not in " ".join(one.command(Path("livekit-server")).argv)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.27 linux/arm64", (1, 27)),
        ("go version go1.19.8 linux/amd64", (1, 19)),
        ("something else", (0, 0)),
    ],
)
def test_the_version_of_go_is_read(said: str, version: tuple[int, int]) -> None:
    assert livekit_build.go_version(said) == version


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_go_too_old_with_nothing_to_install_another_says_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "go", "echo go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(SetupError, match=r"no go on PATH") as refused:
        livekit_build.build(lambda _: None, tmp_path / "log")
    assert 'video = "off"' in str(refused.value)


def test_a_source_with_another_sum_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        'if [ "$1" = version ]; then echo go version go1.27.3 linux/amd64; '
        """else echo '{"Sum": "h1:other", "Dir": "/"}'; fi"""
    )
    program(tmp_path / "bin", "go", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(SetupError, match=r"not the one that is pinned: h1:other"):
        livekit_build.build(lambda _: None, tmp_path / "log")
    assert not livekit_build.target().exists()


def test_a_package_with_another_digest_is_refused_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("package/dist/livekit-client.umd.js"), io.BytesIO(b""))
    (tmp_path / "other.tgz").write_bytes(archive.getvalue())
    program(tmp_path / "bin", "npm", f'[ "$1" = --version ] || cp {tmp_path}/other.tgz .')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(SetupError, match=r"not the one that is pinned: sha512-"):
        room_script.ensure(lambda _: None, tmp_path / "log")
    assert not room_script.path().exists()


def test_integrity_is_that_of_the_standard() -> None:
    # SRI's own example: an empty content under sha384
    assert room_script.integrity(b"", "sha384") == (
        "sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb"
    )
    assert hashlib.sha384(b"").hexdigest().startswith("38b060")


def test_what_video_is_set_up_with_is_locked_with_hashes() -> None:
    lock = (CHECKOUT / "requirements" / "video.lock").read_text()
    wanted = (CHECKOUT / "requirements" / "video.in").read_text().split()
    assert all(f"{one} \\" in lock for one in wanted)
    assert "://" not in lock
    assert video_tools.LOCK.exists()


def test_the_platform_is_healthy_without_video_and_says_how_video_is() -> None:
    late = Condition(state="starting", error="building LiveKit", optional=True)
    state = State(Identity(1, 1), "mark", conditions={"api": Condition(state="healthy"), "livekit": late})
    assert state.ready
    assert explain("livekit", state.conditions, running=True, stale=False) == "optional: building LiveKit"
    state.conditions["api"].state = "unhealthy"
    assert not state.ready


def settings(**told: object) -> Settings:
    base = {"airflow_key": "00" * 32, "database_url": "postgresql://u:p@127.0.0.1:1/y"}
    return Settings(**{**base, "amqp_url": "amqp://u:p@h:1/", **told})  # type: ignore[arg-type]


def test_video_may_be_off_or_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {service.name: service for service in platform(settings()).services}["livekit"]
    assert ours.optional
    assert ours.command is not None
    assert "livekit" not in {service.name for service in platform(settings(video="off")).services}
    monkeypatch.setenv("YILIAN_LIVEKIT_URL", "wss://video.example")
    theirs = {service.name: service for service in platform(settings()).services}["livekit"]
    assert theirs.command is None
    assert theirs.url == "wss://video.example"


@pytest.mark.parametrize(
    ("url", "api"),
    [("ws://127.0.0.1:7880", "http://127.0.0.1:7880"), ("wss://v.example/x", "https://v.example/x")],
)
def test_programs_ask_where_browsers_go(url: str, api: str) -> None:
    assert livekit.api_url(url) == api


def test_what_is_built_here_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert livekit.locate() is None
    assert livekit_run.standing() == ""
    livekit_build.target().parent.mkdir()
    livekit_build.target().touch(mode=0o755)
    assert livekit.locate() == livekit_build.target()
    assert livekit.locate(tmp_path / "missing") is None
