"""A pack made again for the network that serves: who it brings as it was, embeddings of pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kyara.errors import NotFoundError
from kyara.recognition.characters import Character, Names
from kyara.recognition.classifier import Classifier
from kyara.recognition.enrolment import Lesson
from kyara.recognition.name_search import KnownNames
from kyara.recognition.packs import VECTOR, Pack, PackCharacter

_WITH_WORK = re.compile(r"(.+?)\s*[((](.+)[))]\s*")


@dataclass(frozen=True)
class MadeAgain:
    """What came of making a pack again.

    Attributes:
        pack: for the network that serves.
        without: characters of the old pack that are not in it: nobody has a picture of them.
    """

    pack: Pack
    without: tuple[Character, ...]


def make_again(
    old: Pack,
    classifier: Classifier,
    find_crops: Callable[[str], Iterable[np.ndarray]],
    labels: Collection[str] = (),
    names: Names | None = None,
) -> MadeAgain:
    """Make a pack again.

    Args:
        old: whose name, author, licence and characters are kept.
        classifier: that serves.
        find_crops: label → crops of its pictures, `uint8 (H, W, 3)` each. Of whom there are none, what
            was taught here is taken.
        labels: of the characters; empty is everybody in the old pack.
        names: names, works and pages that are told instead of those of the old pack.

    Raises:
        NotFoundError: one of the labels is not in the old pack, or there is no picture of anybody.
    """
    missing = set(labels) - {one.character.label for one in old.characters}
    if missing:
        raise NotFoundError(f"{ascii(min(missing))[:120]} is not in the pack {old.name}.")
    taught = {who.label: features for who, features in classifier.find_live().list_own()}
    told = names.characters if names else {}
    members, without = [], []
    for who in (one.character for one in old.characters):
        if labels and who.label not in labels:
            continue
        features = _look(classifier, find_crops(who.label))
        if not len(features):
            features = taught.get(who.label, features)
        known = told[who.label].completed_by(who) if who.label in told else who
        if len(features):
            members.append(PackCharacter(known, features))
        else:
            without.append(known)
    if not members:
        raise NotFoundError(f"There is no picture of anybody in the pack {old.name}.")
    pack = replace(old, network=classifier.backbone.fingerprint, characters=tuple(members), sha256="")
    return MadeAgain(pack, tuple(without))


def _look(classifier: Classifier, crops: Iterable[np.ndarray]) -> np.ndarray:
    """Return embeddings of crops as teaching keeps them: unit length, `float16 (N, features)`."""
    some = list(crops)
    if not some:
        return np.zeros((0, classifier.backbone.dimension), VECTOR)
    features = Lesson.of(classifier.backbone, some).features
    seen = np.linalg.norm(features, axis=1) > 0.5  # in some crops a network sees nothing
    return features[seen].astype(VECTOR)


def match_names(members: Sequence[Character], texts: Iterable[str]) -> dict[str, str]:
    """Return text → label of whom it means: a label, a name in any language, a name with a work.

    `Saber (Fate_stay night)`, say, is what `export sort` calls a folder. Texts that mean nobody, or
    several, are left out.

    Args:
        members: the characters of a pack.
        texts: such as names of folders.
    """
    known = KnownNames.of(members)
    by_path = {one.label.replace("/", "_"): one.label for one in members}
    found = {}
    for text in texts:
        label = known.resolve(text) or by_path.get(text) or _match_with_work(known, text)
        if label is not None:
            found[text] = label
    return found


def _match_with_work(known: KnownNames, text: str) -> str | None:
    split = _WITH_WORK.fullmatch(text)
    if split is None:
        return None
    name, work = split.groups()
    namesakes = known.find_namesakes(name)
    wanted = _keep_letters(work)
    of_work = [
        label
        for label in namesakes
        if any(_keep_letters(title) == wanted for title in known.characters[label].work.values())
    ]
    some = of_work or namesakes
    return some[0] if len(some) == 1 else None


def _keep_letters(text: str) -> str:
    """Return the letters and digits of a text; of others some are not good in a folder's name."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())
