"""`features`: what the network sees in many pictures, as one array."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import numpy as np

from kyara.cli.detector_options import detector_option
from kyara.cli.engine_options import engine_options
from kyara.cli.options import json_option, model_option, print_json, show_bar
from kyara.storage.atomic import explain_os_error, open_replacement
from kyara.storage.parallel.choosing import EngineName

if TYPE_CHECKING:
    from kyara.storage.parallel import Pool, Work

_path = click.Path(path_type=Path)
_KEPT = "What is done already is kept; the same command goes on."


@click.command()
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER|PICTURE|LIST.txt …",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.npy",
    help="Where the array goes; FILE.jsonl beside it says what each row is.",
)
@click.option("--faces", is_flag=True, help="One row for each face that is found, not for each picture.")
@detector_option
@click.option("--level", type=int, help="With --faces: strictness of the detector, from 0 (fewest).")
@model_option
@engine_options
@json_option
def features(
    sources: tuple[Path, ...],
    out: Path,
    faces: bool,
    detector: str | None,
    level: int | None,
    model: Path | None,
    engine_name: EngineName,
    workers: int | None,
    as_json: bool,
) -> None:
    """Write the features of many pictures: float32, one row a picture, in the order of their names.

    A picture that cannot be read is reported on stderr and has no row; the exit status is 1 then.
    Stopped with Ctrl-C, or killed, the same command goes on where it was.
    """
    from kyara.recognition.bundle import load_bundle
    from kyara.recognition.embeddings import list_named, plan_extraction, split_names
    from kyara.registry import find_serving
    from kyara.storage.parallel import Engine, Work, open_pool

    if out.suffix != ".npy":
        raise click.UsageError(f"--out takes a name that ends in .npy; received {out}.")
    bundle = load_bundle(model or find_serving())
    task = plan_extraction(bundle, whole=not faces, level=level, detector=detector)
    dimension = bundle.head_weight.shape[0]
    try:
        with (
            Work.hold(out.with_suffix(".work"), task, split_names(list_named(sources))) as work,
            open_pool(Engine(engine_name, workers), task) as pool,
        ):
            rows, failed = _write(work, pool, out, dimension)
    except KeyboardInterrupt:
        click.echo(f"\nStopped. {_KEPT}", err=True)
        raise click.exceptions.Exit(130) from None
    work.remove()
    if as_json:
        document = {"file": str(out), "rows": rows, "features": dimension, "failed": failed}
        print_json(document)
    else:
        click.echo(f"{rows} rows of {dimension} features\n{out}")
    if failed:
        raise click.exceptions.Exit(1)


def _write(work: Work, pool: Pool, out: Path, dimension: int) -> tuple[int, int]:
    """Write the rows in order, as they come; return how many there are, and how many pictures failed."""
    from kyara.recognition.embeddings import read_pictures
    from kyara.storage.parallel import run_work

    rows = failed = 0
    with (
        _replace(out) as array,
        _replace(out.with_suffix(".jsonl")) as index,
        show_bar(work.items, "Extracting") as bar,
    ):
        _write_header(array, 0, dimension)
        for number in run_work(work, pool, bar.update):
            for name, record, error in read_pictures(work, number):
                if record is None:
                    failed += 1
                    click.echo(f"kyara: {name}: {error}", err=True)
                    continue
                array.write(record.data)
                for box in record.entry["boxes"]:
                    digest = record.entry["sha256"]
                    line = {"row": rows, "source": name, "sha256": digest, "box": box}
                    index.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                    rows += 1
        array.seek(0)
        _write_header(array, rows, dimension)
    return rows, failed


def _write_header(file: IO[bytes], rows: int, dimension: int) -> None:
    """Write the head of a .npy file; it leaves room for a count of rows that grows."""
    head = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)}
    np.lib.format.write_array_header_1_0(file, head)


@contextmanager
def _replace(path: Path) -> Iterator[IO[bytes]]:
    try:
        with open_replacement(path, f".{path.name}.partial") as file:
            yield file
    except OSError as error:
        raise explain_os_error(error, str(path), _KEPT) from error
