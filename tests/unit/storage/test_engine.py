"""Bulk work: the same results whoever does it, and whatever dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from command_line import ROOT
from engine_tasks import NAMES, expect, in_shards, make_task

from kyara.errors import BadInputError, BusyError, KyaraError
from kyara.storage.parallel import End, Engine, Record, Task, Work, open_pool, run_work
from kyara.storage.parallel.cluster import RayPool


def do_all(folder: Path, task: Task, workers: int = 2, names: list[str] = NAMES) -> list[Record | End]:
    with Work.hold(folder, task, in_shards(names)) as work:
        with open_pool(Engine("local", workers), task) as pool:
            return [part for number in run_work(work, pool) for part in work.read_results(number)]


@pytest.mark.parametrize("workers", [1, 3])
def test_run_work_gives_the_results_in_the_order_of_the_items(tmp_path, workers):
    assert do_all(tmp_path, make_task(), workers) == expect(NAMES)


def test_run_work_does_again_what_a_killed_worker_had_begun(tmp_path):
    log = tmp_path / "log"
    task = make_task(once=str(tmp_path / "once"), log=str(log))
    assert do_all(tmp_path / "work", task) == expect(NAMES)
    done = [line.split() for line in log.read_text().splitlines()]
    times = Counter(name for _, name in done)
    assert times == Counter(NAMES) + Counter(["6", "7"])  # the begun shard, up to where it died
    assert len({process for process, _ in done}) == 3


def test_run_work_leaves_out_an_item_that_kills_its_workers(tmp_path):
    found = do_all(tmp_path, make_task(fatal="4"))
    assert found == expect(NAMES, {"4": "Workers died on it 3 times; it is left out."})


def test_run_work_goes_on_where_an_earlier_run_was(tmp_path):
    log = tmp_path / "log"
    task = make_task(log=str(log))
    with Work.hold(tmp_path / "work", task, in_shards(NAMES)) as work:
        with open_pool(Engine("local", 1), task) as pool:
            numbers = run_work(work, pool)
            first = [next(numbers), next(numbers)]
    assert first == [0, 1]
    (tmp_path / "work" / "results" / ".000005.0.partial").mkdir()
    before = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert do_all(tmp_path / "work", task) == expect(NAMES)
    after = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert {name for name in NAMES if after[name] == before[name]} >= set(NAMES[:6])
    assert not list((tmp_path / "work" / "results").glob(".*"))


@pytest.mark.parametrize("other", ["task", "items"])
def test_work_of_another_kind_starts_anew(tmp_path, other):
    do_all(tmp_path / "work", make_task())
    task = make_task(log=str(tmp_path / "log")) if other == "task" else make_task()
    names = NAMES[:5] if other == "items" else NAMES
    assert do_all(tmp_path / "work", task, names=names) == expect(names)


def test_work_is_held_by_one_run(tmp_path):
    with Work.hold(tmp_path, make_task(), [["1"]]):
        with pytest.raises(BusyError, match="Another run works in"):
            with Work.hold(tmp_path, make_task(), [["1"]]):
                pass


@pytest.mark.parametrize("name", ["picture.png", "results"])
def test_a_folder_with_other_things_in_it_is_no_work_folder(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("mine")
    with pytest.raises(BadInputError, match=rf"other things in it \('{name}' for one\); name a new"):
        with Work.hold(tmp_path, make_task(), [["1"]]):
            pass
    assert [path.name for path in tmp_path.rglob("*")] == [name, "mine.txt"]


def test_what_somebody_puts_into_a_work_folder_meanwhile_stays(tmp_path):
    with Work.hold(tmp_path / "work", make_task(), [["1"]]) as work:
        (work.folder / "mine.txt").write_text("mine")
        work.remove()
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("left", [3, 2, 1, 0])
def test_work_goes_on_in_what_an_interrupted_removal_leaves(tmp_path, left):
    folder = tmp_path / "work"
    folder.mkdir()
    for name in (".work.json.1.partial", "lock", "work.json", "shards.jsonl")[: left + 1]:
        (folder / name).write_text("{}")
    assert do_all(folder, make_task()) == expect(NAMES)
    with Work.hold(folder, make_task(), in_shards(NAMES)) as work:
        work.remove()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("how", "message"), [("saying so", "There is no model here"), ("dying", "3 workers died before")]
)
def test_run_work_stops_where_no_worker_can_begin(tmp_path, how, message):
    task = Task("engine_tasks:open_nothing", {"how": how})
    with Work.hold(tmp_path, task, in_shards(NAMES)) as work:
        with open_pool(Engine("local", 2), task) as pool, pytest.raises(KyaraError, match=message):
            list(run_work(work, pool))


def test_run_work_stops_where_results_cannot_be_written(tmp_path):
    task = make_task()
    with (
        Work.hold(tmp_path, task, in_shards(NAMES)) as work,
        open_pool(Engine("local", 1), task) as pool,
    ):
        work.results.rmdir()
        work.results.write_text("in the way")
        with pytest.raises(KyaraError, match="cannot be written"):
            list(run_work(work, pool))


def test_ray_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(KyaraError, match=r"pip install -r requirements-bulk\.txt"):
        with RayPool.open(make_task(), None):
            pass


def test_a_worker_ends_with_the_run_that_was_killed(tmp_path):
    """The run kills itself while its workers wait: none of them is left."""
    code = (
        "import os, signal, sys\n"
        "from kyara.storage.parallel import Engine, Task, Work, open_pool, run_work\n"
        "task = Task('engine_tasks:open_square', {'log': sys.argv[1] + '/log'})\n"
        "from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        "    with Work.hold(Path(sys.argv[1]) / 'work', task, [['1'], ['2'], ['3']]) as work:\n"
        "        with open_pool(Engine('local', 2), task) as pool:\n"
        "            for number in run_work(work, pool):\n"
        "                os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    done = subprocess.run(
        [sys.executable, script, tmp_path], env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert done.returncode == -9
    workers = {line.split()[0] for line in (tmp_path / "log").read_text().splitlines()}
    assert workers
    while any(Path(f"/proc/{process}").exists() and not is_zombie(process) for process in workers):
        os.sched_yield()


def is_zombie(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
