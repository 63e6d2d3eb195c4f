"""Packs and a classifier: making one of what was taught, and what one brings before it is installed.

A character of a pack and one that is known here are one character if they have the same label. A pack's
character *collides* if it is not clear whether it is somebody who is known here: it has a name of
somebody under another label, or the label of somebody whose names are all others. Whoever installs
chooses then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from kyara.errors import BadInputError, ConflictError, NotFoundError
from kyara.recognition.characters import Character, Names, is_label
from kyara.recognition.classifier import Classifier
from kyara.recognition.name_search import KnownNames
from kyara.recognition.packs import Pack, PackCharacter, check_network

MOST_NAMED = 5
"""Characters in one sentence."""


class Choice(StrEnum):
    """What becomes of a character that collides.

    Attributes:
        JOIN: it is the one who is known here; its faces are added to theirs.
        APART: it is somebody else, and both are known.
        SKIP: it is left out.
    """

    JOIN = "join"
    APART = "apart"
    SKIP = "skip"


@dataclass(frozen=True)
class Arrival:
    """A character that a pack brings.

    Attributes:
        brought: the character and its faces.
        known: who is known here by the same label; None if nobody is.
        namesakes: who has one of its names here under another label, where its own is not known.
        hidden: an operator has the model forget it; the pack brings it back.
        differs: `known` has names in a language of the pack's, and none is one of the pack's.
    """

    brought: PackCharacter
    known: Character | None
    namesakes: tuple[Character, ...]
    hidden: bool
    differs: bool

    @property
    def collides(self) -> bool:
        """Whether somebody has to choose."""
        return self.differs or bool(self.namesakes)

    @property
    def others(self) -> tuple[Character, ...]:
        """Those whom it may be."""
        return (self.known,) if self.known else self.namesakes


def make_pack(
    classifier: Classifier,
    name: str,
    author: str,
    licence: str,
    labels: Collection[str] = (),
    names: Names | None = None,
) -> Pack:
    """Make a pack of what was taught here; what other packs brought stays with them.

    Args:
        classifier: with a store.
        name: of the pack.
        author: who makes it.
        licence: on which terms.
        labels: of the characters; empty is everybody who was taught.
        names: names, works and pages that are told instead of those of the model and of who taught.

    Raises:
        NotFoundError: nobody was taught, or nobody of one of the labels.
    """
    own = classifier.find_live().list_own()
    of_model = {who.label: who for who in classifier.bundle.characters}
    told = names.characters if names else {}
    missing = set(labels) - {who.label for who, _ in own}
    if missing or not own:
        whom = f"by the label {ascii(min(missing))[:120]}" if missing else "yet"
        raise NotFoundError(f"Nobody was taught here {whom}.")
    members = []
    for who, features in own:
        if labels and who.label not in labels:
            continue
        known = who.completed_by(of_model[who.label]) if who.label in of_model else who
        if who.label in told:
            known = told[who.label].completed_by(known)
        members.append(PackCharacter(known, features))
    return Pack(name, author, licence, classifier.backbone.fingerprint, tuple(members))


def preview_pack(pack: Pack, classifier: Classifier) -> list[Arrival]:
    """Return what a pack brings, and whom it collides with.

    Raises:
        BadInputError: it is for another network.
    """
    check_network(pack, classifier.backbone.fingerprint, classifier.backbone.dimension)
    view = classifier.frozen()
    forgotten = set(view.forgotten)
    hidden = {one.label: one for one in view.bundle.characters if one.label in forgotten}
    here = KnownNames.of((*view.characters, *hidden.values()))
    return [_preview(one, here, one.character.label in hidden) for one in pack.characters]


def _preview(brought: PackCharacter, here: KnownNames, hidden: bool) -> Arrival:
    who = brought.character
    known = here.characters.get(who.label)
    found = (label for name in who.name.values() for label in here.find_namesakes(name))
    same = list(dict.fromkeys(found))
    if known is None:
        namesakes = tuple(here.characters[label] for label in same)
        return Arrival(brought, None, namesakes, hidden, differs=False)
    comparable = not who.name.keys().isdisjoint(known.name)
    return Arrival(brought, known, (), hidden, differs=comparable and who.label not in same)


def count_arrivals(arrivals: Sequence[Arrival]) -> dict[str, int]:
    """Count who comes without a question: `new`, `joining` somebody known; and who was `hidden`."""
    return {
        "new": sum(one.known is None and not one.namesakes for one in arrivals),
        "joining": sum(one.known is not None and not one.differs for one in arrivals),
        "hidden": sum(one.hidden for one in arrivals),
    }


def hash_collisions(arrivals: Sequence[Arrival]) -> str:
    """Return the SHA-256 of who collides with whom, by which whoever chooses says what they saw."""
    said = [
        [who.label for who in (one.brought.character, *one.others)] for one in arrivals if one.collides
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def settle(
    pack: Pack,
    arrivals: Sequence[Arrival],
    choices: Mapping[str, Choice],
    labels: Collection[str] = (),
) -> Pack:
    """Return what is to be installed of a pack.

    Args:
        pack: as it was read.
        arrivals: of `preview_pack`.
        choices: label → what becomes of a character that collides.
        labels: that nobody gets who is kept apart; see `list_taken`.

    Raises:
        ConflictError: no choice was made for one that collides.
        BadInputError: a choice cannot be, or nothing is left.
    """
    waiting = [one for one in arrivals if one.collides and one.brought.character.label not in choices]
    if waiting:
        raise ConflictError(say_collisions(waiting))
    taken = {*labels, *(who.label for one in arrivals for who in (one.brought.character, *one.others))}
    found: dict[str, PackCharacter] = {}
    for one in arrivals:
        if (label := _settle_label(one, pack, choices, taken)) is None:
            continue
        new = PackCharacter(replace(one.brought.character, label=label), one.brought.features)
        taken.add(label)
        found[label] = _join(found[label], new) if label in found else new
    if not found:
        raise BadInputError(f"Nothing of the pack {pack.name} is left to install.")
    return replace(pack, characters=tuple(found.values()))


def _settle_label(
    one: Arrival, pack: Pack, choices: Mapping[str, Choice], taken: Collection[str]
) -> str | None:
    """Return the label under which a character is installed; None if it is left out."""
    label = one.brought.character.label
    choice = choices.get(label, Choice.JOIN) if one.collides else Choice.JOIN
    if choice == Choice.SKIP:
        return None
    if choice == Choice.APART and one.known:
        return _find_label_apart(label, pack.name, taken)
    if choice == Choice.JOIN and len(one.namesakes) > 1:
        raise BadInputError(
            f"{label} cannot join: its name is that of {_list_labels(one.namesakes)}. Keep it apart, or "
            "skip it."
        )
    return one.namesakes[0].label if choice == Choice.JOIN and one.namesakes else label


def _find_label_apart(label: str, pack: str, taken: Collection[str]) -> str:
    """Return a label that nobody has.

    Raises:
        BadInputError: there is none.
    """
    tried = [f"{pack}/{label.rpartition('/')[2]}", f"{pack}/{label.replace('/', '.')}"]
    free = [each for each in tried if is_label(each) and each not in taken]
    if not free:
        raise BadInputError(
            f"{label} cannot be kept apart: no label like {' or '.join(dict.fromkeys(tried))} is free."
        )
    return free[0]


def _join(first: PackCharacter, second: PackCharacter) -> PackCharacter:
    return PackCharacter(
        first.character.completed_by(second.character),
        np.concatenate([first.features, second.features]),
    )


def list_taken(classifier: Classifier) -> list[str]:
    """Return the labels of everybody who is known here, and of those whom an operator had forgotten."""
    view = classifier.frozen()
    return [*view.labels, *view.forgotten]


def say_collisions(arrivals: Sequence[Arrival]) -> str:
    """Return a sentence about characters that collide, and what can be chosen."""
    said = [say_collision(one) for one in arrivals[:MOST_NAMED]]
    more = f" and {len(arrivals) - MOST_NAMED} more" if len(arrivals) > MOST_NAMED else ""
    return (
        f"It collides: {'; '.join(said)}{more}. Choose what becomes of them: join (it is the same "
        "character), apart (both are known) or skip (it is left out)."
    )


def say_collision(one: Arrival) -> str:
    """Return who collides, and with whom."""
    who = one.brought.character
    return f"{who.label} ({who.name_in('en')}) with {_list_labels(one.others)}"


def _list_labels(some: Sequence[Character]) -> str:
    said = ", ".join(f"{one.label} ({one.name_in('en')})" for one in some[:MOST_NAMED])
    return f"{said} and {len(some) - MOST_NAMED} more" if len(some) > MOST_NAMED else said


def describe_packs(classifier: Classifier) -> list[dict[str, Any]]:
    """Return the packs that are installed as JSON has them, in the order in which they were.

    Each has the members of `InstalledPack`, and `fits`: it was made for the network that serves.
    """
    network = classifier.backbone.fingerprint
    packs = classifier.find_live().store.list_packs()
    return [{**vars(one), "fits": one.network == network} for one in packs]


def install_pack(classifier: Classifier, pack: Pack) -> None:
    """Add a pack that is settled; it is answered from then on, by every process.

    Raises:
        KyaraError: as `LiveIdentities.install_pack`; nothing was changed.
    """
    classifier.find_live().install_pack(pack)


def remove_pack(classifier: Classifier, name: str) -> tuple[int, int]:
    """Take away what a pack brought, and nothing that was taught by others.

    Returns:
        Of how many characters it takes faces away, and how many faces.

    Raises:
        NotFoundError: no pack of this name is installed.
    """
    return classifier.find_live().remove_pack(name)
