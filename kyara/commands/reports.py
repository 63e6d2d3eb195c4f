"""`reports`: what visitors corrected, reviewed from the command line."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.character import LANGUAGES
from kyara.errors import BadInputError
from kyara.registry import MODEL_FOLDER, find_serving, find_taught

if TYPE_CHECKING:
    from kyara.reports import Report
    from kyara.reports.choosing import Choice
    from kyara.reviewing import KnownNames, ReviewDesk

ROOT = Path(__file__).resolve().parents[2]
STATES = ("pending", "accepted", "rejected", "withdrawn", "all")


def _options(*options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _folder(name: str, variable: str, default: Path, help: str) -> Any:
    return click.option(
        name,
        type=click.Path(path_type=Path, file_okay=False),
        envvar=variable,
        default=default,
        show_default=f"{default.name}/",
        help=help,
    )


_places = _options(
    _folder("--folder", "KYARA_REPORT_FOLDER", ROOT / "user_report", "Where reports are kept."),
    click.option(
        "--database",
        envvar="KYARA_REPORT_DATABASE_URL",
        metavar="URL",
        help="Their database.  [default: SQLite in that folder]",
    ),
    _folder("--dataset", "KYARA_DATASET_FOLDER", ROOT / "dataset", "Where accepted crops go."),
    _folder("--models", "KYARA_MODEL_FOLDER", MODEL_FOLDER, "Who serves here may be named."),
)
_operator = click.option(
    "--as", "operator", metavar="NAME", help="Who reviews.  [default: the name of this login]"
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_choice = _options(
    click.option("--label", help="Only of this character, as the visitor or the reviewer wrote it."),
    click.option("--sender", help="Only what this sender stands behind (a hash, as `list` tells it)."),
)


@click.group()
def reports() -> None:
    """Review what visitors corrected: list, accept, reject, undo, export, delete."""


@reports.command(name="list")
@click.option("--state", type=click.Choice(STATES), default="pending", show_default=True, help="Which.")
@_choice
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many."
)
@_json
@_places
def list_reports(
    state: str, label: str | None, sender: str | None, limit: int, as_json: bool, **places: Any
) -> None:
    """List reports: those with most visitors behind them first."""
    from kyara.reviewing.queue import describe_page

    desk = _open_desk(**places)
    page = describe_page(
        desk.store, _choose(state, label, sender), desk.find_names(), limit=limit, offset=0
    )
    if as_json:
        click.echo(
            json.dumps({"total": page.total, "reports": page.entries}, ensure_ascii=False, indent=1)
        )
        return
    for entry in page.entries:
        marks = f"  [{', '.join(entry['marks'])}]" if entry["marks"] else ""
        decided = f" → {entry['reviewed_label']}" if entry["reviewed_label"] else ""
        times = f" ×{entry['count']}" if entry["count"] > 1 else ""
        click.echo(f"{entry['id']}  {entry['state']}  {entry['said']}{times}{decided}{marks}")
    click.echo(f"{len(page.entries)} of {page.total} reports.", err=True)


@reports.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--label", help="Accept as this character instead of the one the visitor named.")
@click.option("--new", is_flag=True, help="--label is of somebody new.")
@_options(*(click.option(f"--name-{code}", help="With --new: what people read.") for code in LANGUAGES))
@_operator
@_json
@_places
def accept(
    ids: tuple[str, ...],
    label: str | None,
    new: bool,
    operator: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    """Accept reports IDS, all or none: their crops go into the dataset."""
    from kyara.reviewing import Action

    name = {code: text for code in LANGUAGES if (text := more.pop(f"name_{code}"))}
    if new and label is None:
        raise click.UsageError("--new needs --label.")
    action = Action.NEW if new else Action.CORRECT if label else Action.ACCEPT
    _decide(ids, action, operator, as_json, label=label, name=name or None, **more)


@reports.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--not-a-face", is_flag=True, help="The crop shows no face at all.")
@_operator
@_json
@_places
def reject(
    ids: tuple[str, ...], not_a_face: bool, operator: str | None, as_json: bool, **places: Any
) -> None:
    """Reject reports IDS, all or none."""
    from kyara.reviewing import Action

    _decide(ids, Action.NOT_A_FACE if not_a_face else Action.REJECT, operator, as_json, **places)


@reports.command()
@click.argument("step", required=False)
@_operator
@_json
@_places
def undo(step: str | None, operator: str | None, as_json: bool, **places: Any) -> None:
    """Take back your STEP, by default the last one that stands."""
    desk, who = _open_desk(**places), _name_operator(operator)
    _say(desk.undo(step, who) if step else desk.undo_last(who)[1], as_json)


@reports.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--state", type=click.Choice(STATES), default="all", show_default=True, help="Which.")
@_choice
@_places
def export(out: Path, state: str, label: str | None, sender: str | None, **places: Any) -> None:
    """Write reports and their crops to OUT: a new folder, or a file where it ends in .zip."""
    from kyara.reviewing.exporting import export_to_folder, export_to_zip

    desk, choice = _open_desk(**places), _choose(state, label, sender)
    if out.suffix.lower() == ".zip":
        if out.exists():
            raise BadInputError(f"{out} is there already: name a new file.")
        with out.open("wb") as file:
            count = export_to_zip(desk.store, choice, file)
    else:
        count = export_to_folder(desk.store, choice, out)
    click.echo(f"{count} reports are in {out}.")


@reports.command()
@click.argument("ids", nargs=-1)
@_choice
@click.option("--yes", is_flag=True, help="Do not ask.")
@_operator
@_json
@_places
def delete(
    ids: tuple[str, ...],
    label: str | None,
    sender: str | None,
    yes: bool,
    operator: str | None,
    as_json: bool,
    **places: Any,
) -> None:
    """Delete reports for good, by IDS, by character or by sender, and what the dataset has of them."""
    from kyara.reports.choosing import Choice

    desk = _open_desk(**places)
    choice = Choice(ids=ids or None, label=label, sender=sender)
    choice.check_given()
    if not yes:
        click.confirm("Delete them for good?", abort=True, err=True)
    gone = desk.delete(choice, _name_operator(operator))
    click.echo(json.dumps({"deleted": gone}) if as_json else f"{len(gone)} reports are gone.")


def _open_desk(folder: Path, database: str | None, dataset: Path, models: Path) -> ReviewDesk:
    from kyara.reports import ReportStore
    from kyara.reviewing import ReviewDesk

    return ReviewDesk(
        ReportStore(folder, database or None), dataset, lambda: _find_names(models, dataset)
    )


def _find_names(models: Path, dataset: Path) -> KnownNames:
    """Return whom a report may be accepted as: the serving model's characters and the dataset's."""
    from classification import Classifier
    from kyara.reviewing import KnownNames
    from kyara.reviewing.dataset_names import count_faces, read_new_characters

    classifier = Classifier(find_serving(models), taught=find_taught(models))
    return KnownNames.of([*classifier.characters, *read_new_characters(dataset)], count_faces(dataset))


def _choose(state: str, label: str | None, sender: str | None) -> Choice:
    from kyara.reports import ReportState
    from kyara.reports.choosing import Choice

    return Choice(state=None if state == "all" else ReportState(state), label=label, sender=sender)


def _name_operator(given: str | None) -> str:
    from kyara.accounts.passwords import check_name

    return check_name(given or getpass.getuser())


def _decide(
    ids: tuple[str, ...],
    action: Any,
    operator: str | None,
    as_json: bool,
    *,
    label: str | None = None,
    name: dict[str, str] | None = None,
    **places: Any,
) -> None:
    desk = _open_desk(**places)
    found = desk.decide(dict.fromkeys(ids), action, _name_operator(operator), label=label, name=name)
    _say(found, as_json)


def _say(found: list[Report], as_json: bool) -> None:
    if as_json:
        entries = [{"id": one.id, "state": str(one.state), "label": one.reviewed_label} for one in found]
        click.echo(json.dumps({"reports": entries}, ensure_ascii=False, indent=1))
        return
    for one in found:
        label = f" as {one.reviewed_label}" if one.reviewed_label else ""
        click.echo(f"{one.id}: {one.state}{label}")
