"""`groups`: faces of a library that nobody knows, put together, named, and taught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kyara.cli.groups_measure import choose_least, least_option, measure, method_option
from kyara.cli.groups_output import Opened, print_group, print_groups, say_outcome
from kyara.cli.identify_output import echo
from kyara.cli.known import load_classifier, place_options
from kyara.cli.library_options import library_option
from kyara.cli.options import language_option, print_json, show_bar
from kyara.registry import find_serving, find_taught

if TYPE_CHECKING:
    from kyara.dataset.library.groups.deciding import GroupJournal, Outcome
    from kyara.recognition.characters import Character
    from kyara.recognition.classifier import Classifier

STATES = ("open", "named", "not_a_face")


@click.group()
def groups() -> None:
    """Put the unknown faces of a library into groups; name one, and all of it is taught.

    `make` groups what `scan` found. What is decided afterwards stays when it is scanned again, and can
    be undone without end.
    """


groups.add_command(measure)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command: which library, and where the model and the taught are."""
    return library_option(place_options(command))


@groups.command()
@method_option
@least_option
@click.option("--probably", is_flag=True, help="Group the faces that are probably somebody, too.")
@_common
def make(
    method: str,
    least: float | None,
    probably: bool,
    place: str,
    models: Path,
    taught: str | None,
    as_json: bool,
) -> None:
    """Group the unknown faces that have no group yet.

    New faces join the groups that have no name yet, or make new ones; groups that are there keep their
    faces, and what was decided about them.
    """
    from kyara.dataset.library.answering import Answerer
    from kyara.dataset.library.groups.making import make_groups
    from kyara.dataset.library.groups.reading import count_ungrouped
    from kyara.dataset.library.opening import open_library
    from kyara.dataset.library.scanning import hold_library
    from kyara.recognition.bundle import load_bundle

    answerer = Answerer(load_bundle(find_serving(models)), find_taught(models, place=taught))
    least = choose_least(answerer.bundle) if least is None else least
    with open_library(place) as engine, hold_library(engine, place):
        with show_bar(count_ungrouped(engine), "Grouping") as bar:
            made = make_groups(
                engine,
                answerer.network,
                least,
                method=method,
                probably=probably,
                progress=bar.update,
            )
    if as_json:
        print_json(asdict(made))
        return
    if made.other_network:
        echo(
            f"kyara: {made.other_network} unknown face(s) were seen by another network and left out; "
            "`kyara scan` looks at them again.",
            err=True,
        )
    echo(
        f"{made.faces} unknown faces: {made.grouped} in {made.groups} new groups, {made.joined} joined "
        f"groups, {made.alone} are like no other"
    )


@groups.command()
@click.argument("group", type=int, required=False)
@click.option(
    "--state", type=click.Choice(STATES), default="open", help="What was said of the groups listed."
)
@click.option("--limit", type=click.IntRange(1), default=20, help="Most groups that are listed.")
@language_option
@_common
def show(
    group: int | None,
    state: str,
    limit: int,
    language: str,
    place: str,
    models: Path,
    taught: str | None,
    as_json: bool,
) -> None:
    """List the groups, the largest first, with whom each may show; or the faces of one GROUP."""
    from kyara.dataset.library.opening import open_library

    opened = Opened(load_classifier(models, taught), language, as_json)
    with open_library(place) as engine:
        if group is not None:
            print_group(engine, opened, group)
        else:
            print_groups(engine, opened, state, limit)


@groups.command()
@click.argument("group", type=int)
@click.argument("name")
@click.option("--label", default="", help="Of somebody new, or of one of several with this name.")
@click.option("--work", default="", help="The series of somebody new.")
@_common
def name(group: int, name: str, label: str, work: str, **places: Any) -> None:
    """Say that GROUP shows NAME (a name or a label, known or new): all of it is taught.

    The faces have this name from then on, and the library's other faces are answered again, without
    their pictures. Up to 40 of the faces become references, those that stand for all of it best.
    """
    from kyara.dataset.library.groups.naming import choose_character
    from kyara.recognition.name_search import KnownNames

    def decide(journal: GroupJournal, classifier: Classifier) -> Outcome:
        known = KnownNames.of(classifier.characters)
        character: Character = choose_character(known, name, label=label, work=work)
        return journal.name(group, character)

    _decide(decide, **places)


@groups.command("not-a-face")
@click.argument("some", metavar="GROUP...", nargs=-1, required=True, type=int)
@_common
def not_a_face(some: tuple[int, ...], **places: Any) -> None:
    """Say that each GROUP shows no faces: they are left out of everything."""
    _decide(lambda journal, _: journal.reject(some), **places)


@groups.command()
@click.argument("group", type=int)
@click.argument("others", nargs=-1, required=True, type=int)
@_common
def merge(group: int, others: tuple[int, ...], **places: Any) -> None:
    """Put OTHERS into GROUP; if one of them has a name, all have it."""
    _decide(lambda journal, _: journal.merge(group, others), **places)


@groups.command()
@click.argument("group", type=int)
@click.argument("faces", nargs=-1, required=True, type=int)
@_common
def split(group: int, faces: tuple[int, ...], **places: Any) -> None:
    """Take FACES (numbers, as `groups show GROUP` lists them) out of GROUP, into one of their own."""
    _decide(lambda journal, _: journal.split(group, faces), **places)


@groups.command()
@_common
def undo(**places: Any) -> None:
    """Take the last decision back; again: the one before it."""
    _decide(lambda journal, _: journal.undo(), "Undone", **places)


@groups.command()
@_common
def redo(**places: Any) -> None:
    """Do again what was undone last."""
    _decide(lambda journal, _: journal.redo(), "Redone", **places)


def _decide(
    decide: Callable[[GroupJournal, Classifier], Outcome],
    done: str = "Done",
    *,
    place: str,
    models: Path,
    taught: str | None,
    as_json: bool,
) -> None:
    """Decide, and answer the library's other faces again where the model learned something."""
    from kyara.dataset.library.answering import Answerer, answer_anew, count_outdated
    from kyara.dataset.library.groups.deciding import GroupJournal
    from kyara.dataset.library.opening import open_library
    from kyara.storage.events import TAUGHT, announce

    classifier = load_classifier(models, taught)
    with open_library(place) as engine:
        journal = GroupJournal(engine, classifier, announce=lambda: announce(TAUGHT))
        outcome = decide(journal, classifier)
        store = find_taught(models, place=taught)
        answerer = Answerer(classifier.bundle, store, classifier)
        answered = count_outdated(engine, answerer)
        with show_bar(answered, "Answering") as bar:
            for count in answer_anew(engine, answerer):
                bar.update(count)
    if as_json:
        print_json({**asdict(outcome), "answered": answered})
    else:
        say_outcome(outcome, done)
    if outcome.problem:
        raise click.exceptions.Exit(1)
