"""Growth of memory is told by least squares, once the processes are warm."""

from __future__ import annotations

import pytest

from bench.endurance import PER, Sample, growth, slope


def test_the_slope_of_a_line_is_its_own_and_noise_around_it_does_not_matter() -> None:
    assert slope([(x, 3 * x + 1) for x in range(10)]) == pytest.approx(3)
    assert slope([(x, 2 * x + (-1) ** x) for x in range(1000)]) == pytest.approx(2, rel=1e-3)
    assert slope([(1, 5), (1, 9)]) == 0
    assert slope([]) == 0


def test_what_a_process_needs_to_become_warm_is_no_growth() -> None:
    samples = [
        Sample(float(n), n * 1000, 0, {"router": 50.0 + 40 * min(n, 10) / 10, "relay": 30 + n * 0.01})
        for n in range(101)
    ]
    router, relay = growth(samples, "router"), growth(samples, "relay")
    assert router[f"mib_per_{PER}"] == 0
    assert (router["first_mib"], router["warm_mib"], router["last_mib"]) == (50, 90, 90)
    assert relay[f"mib_per_{PER}"] == pytest.approx(1)
