"""The verdict's rules, and one real child that must notice a loop which misbehaves.

The comparison is only worth its run time if it can fail: these tests hand it each thing that has to fail it.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # pytest does not put the root on the path
from tests.conformance import swap
from tests.conformance.children import Limits, run_file
from tests.conformance.outcomes import PREFIX, FileRun, Outcome
from tests.conformance.verdict import judge, load_exclusions

TEST = "test_streams.StreamTests.test_read"


def one_test(loop: str, state: str, *, loops: int = 1, stray: int = 0) -> FileRun:
    outcomes = {PREFIX + TEST: Outcome(state)} if state else {}
    if loop == swap.STOCK:
        return FileRun("test_streams", loop, outcomes, stock_loops=loops)
    return FileRun("test_streams", loop, outcomes, candidate_loops=loops, stock_loops=stray)


def complaints(stock: FileRun, candidate: FileRun, exclusions: dict[str, str] | None = None) -> list[str]:
    return judge([(stock, candidate)], exclusions or {}).complaints


@pytest.mark.parametrize("state", ["passed", "expected failure", "skipped"])
def test_the_same_good_outcome_on_both_is_no_complaint(state: str) -> None:
    assert complaints(one_test(swap.STOCK, state), one_test(swap.OURS, state)) == []


@pytest.mark.parametrize("state", ["failed", "error", "crashed", "unexpected success", "skipped", ""])
def test_a_test_that_passes_on_asyncio_only_is_a_complaint(state: str) -> None:
    found = complaints(one_test(swap.STOCK, "passed"), one_test(swap.OURS, state))
    assert found
    assert TEST in found[0]


def test_a_test_that_fails_on_asyncio_too_is_reported_and_not_counted() -> None:
    verdict = judge([(one_test(swap.STOCK, "failed"), one_test(swap.OURS, "failed"))], {})
    assert [test for test, _outcome in verdict.stock_failures] == [TEST]
    assert verdict.complaints == []


def test_an_excluded_failure_is_shown_and_not_counted() -> None:
    verdict = judge([(one_test(swap.STOCK, "passed"), one_test(swap.OURS, "failed"))], {TEST: "why"})
    assert verdict.differences[0].excluded == "why"
    assert verdict.complaints == []


def test_an_exclusion_that_passes_or_does_not_exist_is_a_complaint() -> None:
    both = one_test(swap.STOCK, "passed"), one_test(swap.OURS, "passed")
    assert "it passes" in complaints(*both, {TEST: "why"})[0]
    assert "no such test" in complaints(*both, {"test_streams.Gone.test_gone": "why"})[0]
    assert complaints(*both, {"test_events.Other.test_other_file": "why"}) == []


def test_a_run_on_the_wrong_loop_is_a_complaint() -> None:
    stock = one_test(swap.STOCK, "passed")
    assert "made no loop of ours" in complaints(stock, one_test(swap.OURS, "passed", loops=0))[0]
    assert "asyncio's own" in complaints(stock, one_test(swap.OURS, "passed", stray=2))[0]


def test_an_exclusion_without_a_reason_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "exclusions.toml"
    listed.write_text(f'[[exclusion]]\ntest = "{TEST}"\nversions = ["3.13"]\nreason = " "\n')
    with pytest.raises(ValueError, match="states test, versions and reason"):
        load_exclusions(listed)


def test_the_real_list_loads() -> None:
    for entry in load_exclusions(Path(__file__).parent / "exclusions.toml"):
        assert entry.test.startswith("test_")


def test_a_child_runs_on_the_loop_that_was_asked_for() -> None:
    run = run_file("test_protocols", swap.CONTROL, Limits())
    assert (run.failed, run.accidents) == (0, [])
    assert run.passed > 0
    run = run_file("test_server", swap.CONTROL, Limits())
    assert run.candidate_loops > 0
    assert run.stock_loops == 0


def test_a_test_that_overstays_fails_its_test() -> None:
    test = PREFIX + "test_sslproto.SelectorStartTLSTests.test_create_connection_ssl_slow_handshake"  # takes 1 s
    run = run_file("test_sslproto", swap.STOCK, Limits(test_s=0.2), only=(test,))
    assert run.outcomes[test].state == "error"
    assert "longer than its limit of 0.2 s" in run.outcomes[test].detail


def test_a_child_that_cannot_swap_the_loop_is_an_accident() -> None:
    run = run_file("test_threads", "no-such-loop", Limits())
    assert run.outcomes == {}
    assert "no loop is called 'no-such-loop'" in run.accidents[0]
