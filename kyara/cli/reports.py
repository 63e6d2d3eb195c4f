"""`reports`: what visitors reported, reviewed from the command line."""

from __future__ import annotations

import getpass
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from kyara.cli.options import json_option, print_json, stack
from kyara.errors import BundleError
from kyara.registry import DATABASE_VARIABLE, MODEL_FOLDER, find_serving, find_taught
from kyara.storage.paths import DATASET_FOLDER, REPORT_FOLDER

STATES = ("pending", "accepted", "rejected", "withdrawn", "all")


@dataclass(frozen=True)
class Places:
    """Where reports, their database, the dataset and the models are."""

    reports: Path
    files: str
    database: str | None
    dataset: Path
    models: Path
    operator: str

    def open_journal(self) -> Any:
        """Return the journal of these places; what a crash left is put right."""
        from kyara.dataset.review.reports import ReportStore
        from kyara.dataset.review.reports.journal import ReportJournal
        from kyara.storage.files import open_files
        from kyara.storage.settings import PlaceSettings

        endpoint = PlaceSettings.read().files_endpoint_url
        files = open_files(self.files, "user_report", self.reports, endpoint)
        store = ReportStore(self.reports, self.database or None, files_in=files)
        journal = ReportJournal(store, self.dataset, self.find_names)
        journal.recover()
        return journal

    def find_names(self) -> Any:
        """Return whom a report may be accepted as; without a model, whom the dataset knows."""
        from kyara.dataset.names import count_faces, read_new_characters
        from kyara.recognition.name_search import KnownNames

        characters = self.classifier.characters if self.classifier else ()
        return KnownNames.of(
            [*characters, *read_new_characters(self.dataset)], count_faces(self.dataset)
        )

    @cached_property
    def classifier(self) -> Any:
        """Return the model that serves; None where none does."""
        from kyara.recognition.classifier import Classifier

        try:
            return Classifier(find_serving(self.models), taught=find_taught(self.models)).frozen()
        except BundleError:
            return None


def _find_user() -> str:
    try:
        return getpass.getuser()[:40]
    except (KeyError, OSError):  # a container's user may have no name
        return "shell"


@click.group()
@click.option(
    "--reports",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=REPORT_FOLDER,
    envvar="KYARA_REPORT_FOLDER",
    show_default="user_report/",
    help="Where reports are kept.",
)
@click.option(
    "--files",
    default="",
    show_default=False,
    envvar="KYARA_FILES_URL",
    metavar="URL",
    help="Where their pictures are, an fsspec URL.  [default: in that folder]",
)
@click.option(
    "--database",
    envvar=["KYARA_REPORT_DATABASE_URL", DATABASE_VARIABLE],
    metavar="URL",
    help="Their database.  [default: SQLite in that folder]",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATASET_FOLDER,
    envvar="KYARA_DATASET_FOLDER",
    show_default="dataset/",
    help="Where accepted crops go.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=MODEL_FOLDER,
    envvar="KYARA_MODEL_FOLDER",
    show_default="model/",
    help="The model folder: what serves there knows the names.",
)
@click.option("--operator", help="Who decides, in the history.  [default: the system's user]")
@click.pass_context
def reports(
    context: click.Context,
    folder: Path,
    files: str,
    database: str | None,
    dataset: Path,
    models: Path,
    operator: str | None,
) -> None:
    """Review what visitors reported: list, accept, reject, undo, export, delete, vote."""
    context.obj = Places(folder, files, database, dataset, models, (operator or _find_user())[:40])


_choice_options: Any = stack(
    click.option("--label", metavar="LABEL", help="Only what is reported or accepted as this."),
    click.option("--sender", metavar="HASH", help="Only what this sender stands behind."),
)


def _choose(state: str, label: str | None, sender: str | None) -> Any:
    from kyara.dataset.review.reports import ReviewState
    from kyara.dataset.review.reports.choosing import Choice

    return Choice(state=None if state == "all" else ReviewState(state), label=label, sender=sender)


def _print_reports(entries: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"reports": entries})
        return
    for entry in entries:
        marks = f" [{', '.join(entry['marks'])}]" if entry.get("marks") else ""
        who = f" as {entry['reviewed_label']}" if entry["reviewed_label"] else ""
        click.echo(f"{entry['id']} {entry['state']}{who}: {entry['said']} ×{entry['count']}{marks}")


@reports.command(name="list")
@click.option("--state", type=click.Choice(STATES), default="pending", help="Which.")
@_choice_options
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, help="Most.")
@json_option
@click.pass_obj
def list_reports(
    places: Places, state: str, label: str | None, sender: str | None, limit: int, as_json: bool
) -> None:
    """List reports, those with most submissions first, with what is suspicious."""
    from kyara.dataset.review.queue import describe_page
    from kyara.dataset.review.reports.placement import read_pixels

    journal, classifier = places.open_journal(), places.classifier
    page = describe_page(
        journal.store,
        _choose(state, label, sender),
        journal.find_names(),
        limit=limit,
        offset=0,
        classifier=classifier,
        extract=lambda report: classifier.backbone.extract([read_pixels(journal.store, report)])[0],
    )
    _print_reports(page.entries, as_json)


def _decide(places: Places, ids: tuple[str, ...], action: str, as_json: bool, **more: Any) -> None:
    from kyara.dataset.review.journal import Action
    from kyara.dataset.review.queue import describe_entry

    journal = places.open_journal()
    done = journal.decide(dict.fromkeys(ids), Action(action), places.operator, **more)
    known = journal.find_names()
    _print_reports([describe_entry(report, known) for report in done], as_json)


@reports.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--label", metavar="LABEL", help="Accept as this character instead: a label or a name.")
@click.option("--new", is_flag=True, help="LABEL is someone new, whom nobody knows yet.")
@json_option
@click.pass_obj
def accept(places: Places, ids: tuple[str, ...], label: str | None, new: bool, as_json: bool) -> None:
    """Accept the reports IDS: their crops go into the dataset."""
    if new and not label:
        raise click.UsageError("--new needs a --label.")
    action = "new" if new else "correct" if label else "accept"
    _decide(places, ids, action, as_json, label=label)


@reports.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--not-a-face", is_flag=True, help="Say that the crops show no face.")
@json_option
@click.pass_obj
def reject(places: Places, ids: tuple[str, ...], not_a_face: bool, as_json: bool) -> None:
    """Reject the reports IDS; what the dataset has of them is taken out."""
    _decide(places, ids, "not_a_face" if not_a_face else "reject", as_json)


@reports.command()
@click.argument("step", required=False)
@json_option
@click.pass_obj
def undo(places: Places, step: str | None, as_json: bool) -> None:
    """Take back your STEP, by default your last one; another operator's is refused."""
    from kyara.dataset.review.queue import describe_entry

    journal = places.open_journal()
    if step:
        done = journal.undo(step, places.operator)
    else:
        _, done = journal.undo_last(places.operator)
    known = journal.find_names()
    _print_reports([describe_entry(report, known) for report in done], as_json)


@reports.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--state", type=click.Choice(STATES), default="all", help="Which.")
@_choice_options
@json_option
@click.pass_obj
def export(
    places: Places, out: Path, state: str, label: str | None, sender: str | None, as_json: bool
) -> None:
    """Write reports into the new folder OUT, or into OUT.zip: crops, and what was said and decided."""
    from kyara.dataset.review.exporting import export_to_folder, export_to_zip
    from kyara.errors import BadInputError

    journal, choice = places.open_journal(), _choose(state, label, sender)
    if out.suffix == ".zip":
        try:
            with out.open("xb") as file:
                count = export_to_zip(journal.store, choice, file)
        except OSError as error:
            raise BadInputError(f"{out} cannot be written ({error.strerror}).") from error
    else:
        count = export_to_folder(journal.store, choice, out)
    click.echo(json.dumps({"reports": count}) if as_json else f"{count} report(s) are in {out}.")


@reports.command()
@click.argument("ids", nargs=-1)
@_choice_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def delete(
    places: Places, ids: tuple[str, ...], label: str | None, sender: str | None, yes: bool, as_json: bool
) -> None:
    """Delete the reports IDS, a character's or a sender's for good, out of the dataset too."""
    from kyara.dataset.review.reports.choosing import Choice

    choice = Choice(ids=ids or None, label=label, sender=sender)
    choice.check_given()
    if not yes:
        click.confirm("Delete them for good?", abort=True, err=True)
    gone = places.open_journal().delete(choice, places.operator)
    click.echo(json.dumps({"deleted": gone}) if as_json else f"{len(gone)} report(s) are deleted.")


@reports.command()
@click.argument("switch", type=click.Choice(["on", "off", "take"]))
@json_option
@click.pass_obj
def vote(places: Places, switch: str, as_json: bool) -> None:
    """Let visitors vote (on), or not (off); `take` takes the vote now on everything that waits."""
    from kyara.dataset.review.vote import is_vote_on, switch_vote, take_votes
    from kyara.web.settings import Settings

    journal, accepted = places.open_journal(), []
    if switch != "take":
        switch_vote(journal.store, switch == "on")
    on = is_vote_on(journal.store, Settings.read().report_vote)
    classifier = places.classifier
    if on and classifier:
        accepted = [report.id for report in take_votes(journal, classifier)]
    if as_json:
        click.echo(json.dumps({"vote": on, "accepted": accepted}))
    else:
        click.echo(
            f"The vote is {'on' if on else 'off'}; {len(accepted)} report(s) were accepted by it."
        )
