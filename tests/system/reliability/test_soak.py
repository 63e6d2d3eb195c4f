"""The soak with short settings; `make soak` runs the same for the full time and writes its figures."""

from __future__ import annotations

import pytest

from scripts.soak import DEADLINE_S, Soak, run_soak


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Soak:
    return run_soak(tmp_path_factory.mktemp("soak"), few_s=2, many_s=12, slow_s=4)


@pytest.mark.slow
def test_sixty_four_clients_get_answers_or_503_and_nobody_waits_too_long(soak: Soak) -> None:
    for outcome in (*soak.few.values(), soak.many):
        assert not outcome.errors
        assert outcome.answers_s
        assert outcome.slowest_s <= DEADLINE_S + 1
    assert all(outcome.refused == 0 for outcome in soak.few.values())
    assert soak.many.refused


@pytest.mark.slow
def test_sixty_four_clients_cost_no_memory_and_little_speed(soak: Soak) -> None:
    assert soak.many.find_growth() < 0.05
    # for the same CPU time: rates are for a machine that does nothing else, see docs/reliability.md
    assert soak.many.crops_per_cpu_s > 0.5 * soak.best_per_cpu_s


@pytest.mark.slow
def test_good_clients_are_served_beside_slow_ones(soak: Soak) -> None:
    assert not soak.beside_slow.errors
    assert soak.beside_slow.answers_s
    assert soak.beside_slow.crops_per_cpu_s > 0.3 * soak.few[8].crops_per_cpu_s
