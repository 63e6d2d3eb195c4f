"""Packs made again for another network: who they bring stays, what is seen of them is new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from strangers import NEW, STRANGERS, draw_stranger

from classification import Classifier
from kyara.errors import NotFoundError
from kyara.recognition.bundle import load_bundle
from kyara.recognition.characters import Character, Names
from kyara.recognition.gallery import scale_to_unit
from kyara.recognition.pack_again import make_again, match_names
from kyara.recognition.pack_file import read_pack, write_pack
from kyara.recognition.packs import Pack, PackCharacter

MEMBERS = (
    Character("vocaloid/rin", {"en": "Kagamine Rin", "ja": "鏡音リン"}, {"en": "Vocaloid"}, 1, 2),
    Character("fate/rin", {"en": "Tohsaka Rin", "ja": "遠坂凛"}, {"en": "Fate/stay night"}),
    Character("two/rin", {"en": "Rin"}, {"en": "Two: Rin?"}),
    Character("other/rin", {"en": "Rin"}, {"ja": "別の作品"}),
)


@pytest.fixture
def classifier(tiny_model_folder: Path, tmp_path: Path) -> Classifier:
    return Classifier(load_bundle(tiny_model_folder / "tiny"), taught=tmp_path / "here.db")


@pytest.fixture
def old(classifier: Classifier) -> Pack:
    """A pack for a network of other dimensions."""
    faces = scale_to_unit(np.ones((3, 7), np.float32)).astype(np.float16)
    members = tuple(PackCharacter(one, faces) for one in MEMBERS)
    return read_pack(write_pack(Pack("rins", "Rin", "CC-BY-4.0", "0123456789abcdef", members)))


def test_names_pages_author_and_licence_stay_and_faces_are_seen_again(classifier, old):
    crops = {"vocaloid/rin": STRANGERS[:2], "two/rin": STRANGERS[2:3]}
    made = make_again(old, classifier, lambda label: crops.get(label, ()))
    assert [one.character for one in made.pack.characters] == [MEMBERS[0], MEMBERS[2]]
    assert made.without == (MEMBERS[1], MEMBERS[3])
    pack = made.pack
    assert (pack.name, pack.author, pack.licence, pack.sha256) == ("rins", "Rin", "CC-BY-4.0", "")
    assert pack.network == classifier.backbone.fingerprint
    seen = scale_to_unit(classifier.backbone.extract(STRANGERS[:2])).astype(np.float16)
    assert pack.characters[0].features.tobytes() == seen.tobytes()
    assert read_pack(write_pack(pack)).faces == 3


def test_faces_are_what_teaching_the_same_pictures_gives(classifier, old):
    large = [draw_stranger(seed, 700) for seed in range(3)]  # taught crops are kept smaller
    classifier.teach("fate/rin", large)
    ((_, taught),) = classifier.find_live().list_own()
    made = make_again(old, classifier, lambda label: large if label == "two/rin" else ())
    features = {one.character.label: one.features for one in made.pack.characters}
    assert features["two/rin"].tobytes() == taught.tobytes()
    assert features["fate/rin"].tobytes() == taught.tobytes(), "of whom there is no picture"
    assert [one.label for one in made.without] == ["vocaloid/rin", "other/rin"]


def test_pictures_come_before_what_was_taught(classifier, old):
    classifier.teach("two/rin", STRANGERS[:3])
    made = make_again(old, classifier, lambda label: STRANGERS[3:], ["two/rin"])
    (one,) = made.pack.characters
    assert (one.character.label, len(one.features), made.without) == ("two/rin", 1, ())


def test_names_that_are_told_come_first(classifier, old):
    told = Names({"two/rin": Character("two/rin", {"en": "The Rin", "zh": "凛"}, {}, 8)})
    made = make_again(old, classifier, lambda label: STRANGERS[:1], ["two/rin"], told)
    (one,) = made.pack.characters
    assert one.character == Character("two/rin", {"en": "The Rin", "zh": "凛"}, MEMBERS[2].work, 8)


def test_nobody_to_make_it_of_is_a_sentence(classifier, old):
    with pytest.raises(NotFoundError, match="no picture of anybody in the pack rins"):
        make_again(old, classifier, lambda label: ())
    with pytest.raises(NotFoundError, match=f"'{NEW}' is not in the pack rins"):
        make_again(old, classifier, lambda label: STRANGERS, [NEW])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("fate/rin", "fate/rin"),
        ("fate_rin", "fate/rin"),
        ("Tohsaka Rin", "fate/rin"),
        ("rin kagamine", "vocaloid/rin"),
        ("鏡音リン", "vocaloid/rin"),
        ("Tohsaka Rin (Fate_stay night)", "fate/rin"),
        ("Kagamine Rin (of another work)", "vocaloid/rin"),
        ("Rin (Two_ Rin_)", "two/rin"),
        ("Rin (別の作品)", "other/rin"),
        ("Rin", None),
        ("Rin (of another work)", None),
        ("Miku", None),
    ],
)
def test_a_folder_is_whose_label_or_name_it_has(text, label):
    assert match_names(MEMBERS, [text]) == ({text: label} if label else {})
