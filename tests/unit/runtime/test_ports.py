"""Ports: a person's choice is kept, a free one is kept, a busy one is chosen anew."""

from __future__ import annotations

import socket

import pytest

from runtime import ports

DEFAULTS = {"api_port": 8080, "airflow_port": 8081, "mllp_port": 2575}


def all_free(_port: int) -> bool:
    return True


def test_the_defaults_are_taken_when_they_are_free() -> None:
    assert ports.assign(DEFAULTS, {}, {}, all_free) == DEFAULTS


def test_a_busy_default_gives_way_to_the_next_free_port() -> None:
    chosen = ports.assign({"api_port": 8080}, {}, {}, lambda port: port not in {8080, 8081})
    assert chosen == {"api_port": 8082}


def test_two_services_never_get_the_same_port() -> None:
    chosen = ports.assign(DEFAULTS, {}, {}, lambda port: port != 8080)
    assert chosen == {"api_port": 8081, "airflow_port": 8082, "mllp_port": 2575}


def test_an_earlier_choice_is_kept_while_it_is_free() -> None:
    assert ports.assign({"api_port": 8080}, {"api_port": 8090}, {}, all_free) == {"api_port": 8090}


def test_an_earlier_choice_that_is_busy_now_is_chosen_anew() -> None:
    chosen = ports.assign({"api_port": 8080}, {"api_port": 8090}, {}, lambda port: port != 8090)
    assert chosen == {"api_port": 8080}


def test_a_persons_choice_is_taken_even_when_it_is_busy_and_nobody_else_gets_it() -> None:
    chosen = ports.assign(DEFAULTS, {}, {"mllp_port": 8080}, lambda port: port != 8080)
    assert chosen["mllp_port"] == 8080
    assert chosen["api_port"] == 8081


def test_no_free_port_is_said_so() -> None:
    with pytest.raises(OSError, match="no free port between 9000 and 9999"):
        ports.next_free(9000, (), lambda _port: False)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, 0))
        server.listen()
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.accepts(ports.LOOPBACK, port)
    assert ports.is_free(port)
    assert not ports.accepts(ports.LOOPBACK, port)
