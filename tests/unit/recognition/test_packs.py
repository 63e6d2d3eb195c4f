"""Packs: what was taught goes into a file and comes out of it on another installation, or is refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event
from strangers import NEW, STRANGERS

from classification import Classifier
from kyara.errors import BadInputError, ConflictError, KyaraError, NotFoundError, TooLargeError
from kyara.recognition.bundle import Bundle
from kyara.recognition.characters import Character, Names
from kyara.recognition.enrolment_store.packs import install
from kyara.recognition.gallery import scale_to_unit
from kyara.recognition.pack_file import MAX_PACK_BYTES, read_pack, write_pack
from kyara.recognition.pack_install import (
    Choice,
    describe_packs,
    install_pack,
    list_taken,
    make_pack,
    preview_pack,
    remove_pack,
    settle,
)
from kyara.recognition.packs import Pack, PackCharacter


@pytest.fixture(params=["file", "postgresql"])
def here(request: pytest.FixtureRequest, bundle: Bundle, tmp_path: Path) -> Classifier:
    """An installation whose taught characters are in a file, and in a database of a server, in turn."""
    if request.param == "file":
        return Classifier(bundle, taught=tmp_path / "here.db")
    return Classifier(bundle, taught=request.getfixturevalue("postgres_url"))


@pytest.fixture
def there(bundle: Bundle, tmp_path: Path) -> Classifier:
    """Another installation of the same model."""
    return Classifier(bundle, taught=tmp_path / "there.db")


def draw_faces(seed: int, count: int, dimension: int) -> np.ndarray:
    """Return `float16 (count, dimension)`, unit length."""
    faces = np.random.default_rng(seed).normal(size=(count, dimension))
    return scale_to_unit(faces.astype(np.float32)).astype(np.float16)


def make_own(classifier: Classifier, *members: Character, name: str = "extras", faces: int = 2) -> Pack:
    """Return a pack of characters with drawn embeddings, as it is read back."""
    dimension = classifier.backbone.dimension
    characters = tuple(
        PackCharacter(one, draw_faces(seed, faces, dimension)) for seed, one in enumerate(members)
    )
    pack = Pack(name, "Rin", "CC0-1.0", classifier.backbone.fingerprint, characters)
    return read_pack(write_pack(pack))


def describe(classifier: Classifier) -> list[tuple[Character, list[str]]]:
    """Return everything that is known, and by which taught references."""
    view = classifier.frozen()
    return [(one, view.taught.get(one.label, [])) for one in view.characters]


def test_a_hundred_characters_answer_elsewhere_as_here_to_the_bit(here, there, bundle):
    rng = np.random.default_rng(3)
    for number in range(100):
        crops = list(rng.integers(0, 256, (2, 40, 40, 3), np.uint8))
        name = {"en": f"Face {number}", "ja": f"顔{number}", "zh": f"脸{number}"}
        here.teach(f"crowd/face_{number:03}", crops, name, {"en": "The Crowd"})
    data = write_pack(make_pack(here, "crowd", "Rin", "CC0-1.0"))
    pack = read_pack(data)
    assert (len(pack.characters), pack.faces) == (100, 200)
    assert len(data) < 1.2 * (pack.faces * bundle.head_weight.shape[0] * 2 + 100 * 250)
    install_pack(there, settle(pack, preview_pack(pack, there), {}))
    asked = [*STRANGERS, *rng.integers(0, 256, (20, 40, 40, 3), np.uint8)]
    features = here.backbone.extract(asked)
    for one, other in zip(here.score(features), there.score(features), strict=True):
        assert one.tobytes() == other.tobytes()
    assert here.identify(asked) == there.identify(asked)
    assert here.characters == there.characters
    assert write_pack(make_pack(here, "crowd", "Rin", "CC0-1.0")) == data


def test_a_pack_says_who_it_brings_in_three_languages_with_their_pages(here):
    here.teach(NEW, STRANGERS[:3], {"en": "Stripes", "ja": "しましま", "zh": "条纹"}, {"en": "Drawn"})
    told = Names({NEW: Character(NEW, {"en": "The Stripes"}, {}, 12, 345)})
    data = write_pack(make_pack(here, "five", "Rin", "CC-BY-4.0", names=told))
    pack = read_pack(data)
    (one,) = pack.characters
    names = {"en": "The Stripes", "ja": "しましま", "zh": "条纹"}
    assert one.character == Character(NEW, names, {"en": "Drawn"}, 12, 345)
    assert (pack.name, pack.author, pack.licence) == ("five", "Rin", "CC-BY-4.0")
    assert pack.network == here.backbone.fingerprint
    assert pack.sha256 == hashlib.sha256(data).hexdigest()
    crops = scale_to_unit(here.backbone.extract(STRANGERS[:3])).astype(np.float16)
    assert one.features.tobytes() == crops.tobytes()
    with np.load(io.BytesIO(data)) as library:
        assert library["features"].tobytes() == crops.tobytes()


def test_no_picture_is_in_a_pack_and_none_is_shown_of_its_faces(here, there):
    here.teach(NEW, STRANGERS[:1])
    data = write_pack(make_pack(here, "five", "Rin", "CC0-1.0"))
    assert b"PNG" not in data and b"IHDR" not in data
    install_pack(there, read_pack(data))
    (reference,) = there.taught[NEW]
    assert there.draw_thumbnail(reference) is None


def test_a_character_of_the_model_is_one_with_that_of_the_pack(here, bundle):
    own = next(one for one in bundle.characters if one.label == "aka_ribbon")
    before = here.count_references()[own.label]
    brought = Character(own.label, {"en": "Aka Ribbon", "zh": "红"}, {}, 7, 8)
    pack = make_own(here, brought)
    (arrival,) = preview_pack(pack, here)
    assert (arrival.known, arrival.collides) == (own, False)
    install_pack(here, settle(pack, [arrival], {}))
    assert here.count_references()[own.label] == before + 2
    assert here.labels == bundle.labels
    known = here.character(own.label)
    assert (known.name, known.work, known.mal_id, known.anilist_id) == (own.name, own.work, 7, 8)


def test_a_pack_is_taken_away_and_what_others_taught_stays(here):
    before = describe(here)
    here.teach(NEW, STRANGERS[:2], {"en": "Stripes"})
    here.forget("ao_glasses")
    taught = describe(here)
    pack = make_own(
        here,
        Character(NEW, {"en": "Stripes", "ja": "しましま"}, {"en": "Drawn"}),
        Character("ao_glasses", {"en": "Ao Glasses"}, {}),
        Character("aka_ribbon", {}, {}, 5),
        Character("pack/alone", {"en": "Alone"}, {}),
    )
    arrivals = preview_pack(pack, here)
    assert [one.hidden for one in arrivals] == [False, True, False, False]
    install_pack(here, settle(pack, arrivals, {}))
    assert len(here.taught[NEW]) == 4
    assert here.character(NEW).name_in("ja") == "しましま"
    assert not here.forgotten and "pack/alone" in here.labels
    (listed,) = describe_packs(here)
    assert listed.pop("installed_at").startswith("20")
    assert listed == {
        "name": "extras",
        "author": "Rin",
        "licence": "CC0-1.0",
        "network": here.backbone.fingerprint,
        "sha256": pack.sha256,
        "characters": 4,
        "faces": 8,
        "fits": True,
    }
    assert remove_pack(here, "extras") == (4, 8)
    assert describe(here) == taught
    assert describe_packs(here) == []
    here.forget(NEW)
    here.teach("ao_glasses", STRANGERS[:1])
    here.forget("ao_glasses", here.taught["ao_glasses"][0])
    assert describe(here) == before


def test_who_is_taught_while_a_pack_names_them_keeps_the_name(here):
    install_pack(here, make_own(here, Character(NEW, {"en": "Stripes"}, {"en": "Drawn"})))
    here.teach(NEW, STRANGERS[:1])
    assert len(here.taught[NEW]) == 3
    remove_pack(here, "extras")
    assert len(here.taught[NEW]) == 1
    assert here.character(NEW) == Character(NEW, {"en": "Stripes"}, {"en": "Drawn"})


def test_teaching_more_leaves_what_a_pack_says_with_the_pack(here):
    here.teach(NEW, STRANGERS[:1], {"en": "Stripes"})
    before = describe(here)
    brought = Character(NEW, {"en": "Stripes", "ja": "しましま"}, {"en": "Drawn"})
    install_pack(here, make_own(here, brought, Character("aka_ribbon", {}, {"en": "Other"}, 5)))
    for label in (NEW, "aka_ribbon"):
        here.teach(label, STRANGERS[1:2])
    assert here.character(NEW) == brought
    remove_pack(here, "extras")
    for label in (NEW, "aka_ribbon"):
        here.forget(label, here.taught[label][-1])
    assert describe(here) == before


def test_a_face_of_a_pack_goes_with_its_pack_alone(here):
    here.teach(NEW, STRANGERS[:1], {"en": "Stripes"})
    install_pack(here, make_own(here, Character(NEW, {"en": "Stripes"}, {})))
    own, first, _ = here.taught[NEW]
    for reference in (first, first.removeprefix("pack:")):
        with pytest.raises(ConflictError, match="came with a pack; `kyara pack remove extras`"):
            here.forget(NEW, reference)
    for reference in (f"pack:{own}", "pack:999", "pack:x"):
        with pytest.raises(NotFoundError, match="Nobody taught a reference"):
            here.forget(NEW, reference)
    assert len(here.taught[NEW]) == 3
    assert here.forget(NEW, own) == 2


@pytest.mark.parametrize("size", [1, 300])
def test_a_pack_is_installed_in_its_order_by_as_few_statements_as_one_character(here, size):
    here.teach("many/n0", STRANGERS[:1])
    members = [Character(f"many/n{number}", {"en": f"N {number}"}, {}) for number in range(1, size + 1)]
    statements: list[str] = []
    with here.find_live().store._place.change() as connection:
        event.listen(connection, "before_cursor_execute", lambda *heard: statements.append(heard[2]))
        install(connection, make_own(here, *members, faces=1))
    assert len(statements) == 11
    assert [one.label for one in here.characters[-size:]] == [one.label for one in members]


def test_two_packs_of_one_character_are_taken_away_one_by_one(here):
    here.forget("ao_glasses")
    one = make_own(here, Character("ao_glasses", {}, {}), name="one", faces=1)
    two = make_own(here, Character("ao_glasses", {}, {}), name="two", faces=3)
    install_pack(here, one)
    install_pack(here, two)
    assert len(here.taught["ao_glasses"]) == 3  # the first face of both is the same
    remove_pack(here, "one")
    assert len(here.taught["ao_glasses"]) == 3
    remove_pack(here, "two")
    assert here.forgotten == ["ao_glasses"]


def test_forgetting_a_character_forgets_what_a_pack_says_of_it(here):
    install_pack(here, make_own(here, Character(NEW, {"en": "Stripes"}, {}, 3)))
    here.forget(NEW)
    assert NEW not in here.labels
    here.teach(NEW, STRANGERS[:1])
    assert here.character(NEW) == Character(NEW, {"en": "Five"}, {})
    assert remove_pack(here, "extras") == (0, 0)
    assert len(here.taught[NEW]) == 1


def test_ones_own_pack_changes_no_answer(here):
    here.teach(NEW, STRANGERS[:3])
    features = here.backbone.extract(STRANGERS)
    before = here.score(features)
    pack = read_pack(write_pack(make_pack(here, "own", "Rin", "CC0-1.0")))
    install_pack(here, settle(pack, preview_pack(pack, here), {}))
    np.testing.assert_array_equal(here.score(features), before)
    assert make_pack(here, "own", "Rin", "CC0-1.0").faces == 3


def test_what_other_packs_brought_goes_into_no_pack(here):
    install_pack(here, make_own(here, Character("pack/alone", {"en": "Alone"}, {})))
    with pytest.raises(NotFoundError, match="Nobody was taught here yet"):
        make_pack(here, "mine", "Rin", "CC0-1.0")
    here.teach(NEW, STRANGERS[:1])
    assert [one.character.label for one in make_pack(here, "mine", "Rin", "CC0-1.0").characters] == [NEW]
    with pytest.raises(NotFoundError, match="'pack/alone'"):
        make_pack(here, "mine", "Rin", "CC0-1.0", ["pack/alone"])


def test_what_other_packs_say_of_somebody_who_was_taught_here_goes_into_no_pack(here):
    here.teach(NEW, STRANGERS[:1], {"en": "Stripes"})
    here.teach("aka_ribbon", STRANGERS[1:2])
    alone = write_pack(make_pack(here, "mine", "Rin", "CC0-1.0"))
    brought = Character(NEW, {"en": "Stripes", "ja": "しましま"}, {"en": "Drawn"}, 12, 345)
    install_pack(here, make_own(here, brought, Character("aka_ribbon", {}, {}, 5)))
    assert (here.character(NEW).mal_id, here.character("aka_ribbon").mal_id) == (12, 5)
    assert read_pack(write_pack(make_pack(here, "mine", "Rin", "CC0-1.0"))).characters[0].character == (
        Character(NEW, {"en": "Stripes"}, {})
    )
    assert {one.character.label: one.character for one in read_pack(alone).characters} == {
        one.character.label: one.character
        for one in make_pack(here, "mine", "Rin", "CC0-1.0").characters
    }


def test_a_running_process_sees_what_another_installs_and_removes(there, bundle, tmp_path):
    other = Classifier(bundle, taught=tmp_path / "there.db")
    assert NEW not in other.labels
    install_pack(there, make_own(there, Character(NEW, {"en": "Stripes"}, {})))
    assert other.character(NEW).name_in("en") == "Stripes"
    remove_pack(there, "extras")
    assert NEW not in other.labels


def test_under_another_network_a_pack_is_not_answered_and_comes_back(bundle, there, tmp_path, caplog):
    install_pack(there, make_own(there, Character(NEW, {"en": "Stripes"}, {})))
    views = (replace(bundle.preprocessing.views[0], inset=0.2),)
    changed = replace(bundle, preprocessing=replace(bundle.preprocessing, views=views))
    assert NEW not in Classifier(changed, taught=tmp_path / "there.db").labels
    assert not caplog.records
    assert NEW in Classifier(bundle, taught=tmp_path / "there.db").labels


MIKA = Character("mika", {"en": "Aka Ribbon"}, {})


@pytest.mark.parametrize("name", ["Aka Ribbon", "ribbon aka", "赤リボン", "红丝带"])
def test_the_same_name_in_any_language_is_a_collision(here, name):
    pack = make_own(here, Character("mika", {"ja": name}, {}), Character("rin", {"en": "Rin"}, {}))
    arrivals = preview_pack(pack, here)
    assert [one.collides for one in arrivals] == [True, False]
    assert [one.label for one in arrivals[0].namesakes] == ["aka_ribbon"]
    with pytest.raises(ConflictError, match=r"mika .* with aka_ribbon \(Aka Ribbon\)\. Choose"):
        settle(pack, arrivals, {})


@pytest.mark.parametrize(
    ("choice", "labels"),
    [
        (Choice.JOIN, ["aka_ribbon", "rin"]),
        (Choice.APART, ["mika", "rin"]),
        (Choice.SKIP, ["rin"]),
    ],
)
def test_a_namesake_joins_stays_apart_or_is_left_out(here, choice, labels):
    pack = make_own(here, MIKA, Character("rin", {"en": "Rin"}, {}))
    settled = settle(pack, preview_pack(pack, here), {"mika": choice}, here.labels)
    assert [one.character.label for one in settled.characters] == labels
    install_pack(here, settled)
    assert sorted(here.taught) == sorted(labels)
    assert remove_pack(here, "extras") == (len(labels), 2 * len(labels))


@pytest.mark.parametrize(
    ("choice", "label"), [(Choice.JOIN, "aka_ribbon"), (Choice.APART, "extras/aka_ribbon")]
)
def test_the_same_label_with_other_names_is_a_collision(here, choice, label):
    pack = make_own(here, Character("aka_ribbon", {"en": "Somebody Else"}, {}))
    arrivals = preview_pack(pack, here)
    with pytest.raises(ConflictError, match="aka_ribbon"):
        settle(pack, arrivals, {})
    settled = settle(pack, arrivals, {"aka_ribbon": choice}, here.labels)
    assert [one.character.label for one in settled.characters] == [label]
    with pytest.raises(BadInputError, match="left to install"):
        settle(pack, arrivals, {"aka_ribbon": Choice.SKIP})
    with pytest.raises(BadInputError, match="cannot be kept apart"):
        settle(pack, arrivals, {"aka_ribbon": Choice.APART}, {"extras/aka_ribbon"})


def test_two_of_one_last_part_who_are_kept_apart_stay_two(there):
    for label, name in (("one/mika", "First"), ("two/mika", "Second")):
        there.teach(label, STRANGERS[:1], {"en": name})
    others = [Character(label, {"en": f"Not {label}"}, {}) for label in ("one/mika", "two/mika")]
    pack = make_own(there, *others)
    choices = {one.label: Choice.APART for one in others}
    settled = settle(pack, preview_pack(pack, there), choices, list_taken(there))
    assert [
        (one.character.label, one.character.name, len(one.features)) for one in settled.characters
    ] == [
        ("extras/mika", others[0].name, 2),
        ("extras/two.mika", others[1].name, 2),
    ]


def test_nobody_who_is_kept_apart_gets_the_label_of_somebody_hidden(bundle, tmp_path):
    hidden = replace(bundle.characters[0], label="extras/ao_glasses")
    renamed = replace(bundle, characters=(hidden, *bundle.characters[1:]))
    here = Classifier(renamed, taught=tmp_path / "here.db")
    here.forget(hidden.label)
    other = next(one for one in renamed.characters if one.label == "ao_glasses")
    pack = make_own(here, Character(other.label, {"en": "Somebody Else"}, {}))
    with pytest.raises(BadInputError, match="cannot be kept apart"):
        settle(pack, preview_pack(pack, here), {other.label: Choice.APART}, list_taken(here))


def test_one_who_may_be_two_cannot_join(here):
    here.teach("aka_two", STRANGERS[:1], {"en": "Aka Ribbon"})
    pack = make_own(here, MIKA)
    arrivals = preview_pack(pack, here)
    with pytest.raises(BadInputError, match=r"mika cannot join: .* aka_ribbon .*, aka_two"):
        settle(pack, arrivals, {"mika": Choice.JOIN})


def test_two_of_a_pack_who_join_one_are_one(here):
    pack = make_own(here, MIKA, Character("aka_ribbon", {"ja": "赤リボン"}, {}, 9))
    settled = settle(pack, preview_pack(pack, here), {"mika": Choice.JOIN})
    (one,) = settled.characters
    assert (one.character.label, one.character.mal_id, len(one.features)) == ("aka_ribbon", 9, 4)


def test_a_pack_is_installed_once(here):
    pack = make_own(here, Character(NEW, {"en": "Stripes"}, {}))
    install_pack(here, pack)
    before = describe(here)
    with pytest.raises(ConflictError, match="This pack is installed already"):
        install_pack(here, pack)
    with pytest.raises(ConflictError, match="Another pack of the name extras"):
        install_pack(here, make_own(here, MIKA))
    assert describe(here) == before
    with pytest.raises(NotFoundError, match="No pack of the name 'nothing'"):
        remove_pack(here, "nothing")


def test_a_pack_for_another_network_is_refused(here):
    pack = replace(make_own(here, MIKA), network="0123456789abcdef")
    for attempt in (preview_pack, lambda one, classifier: install_pack(classifier, one)):
        with pytest.raises(
            BadInputError,
            match=r"made for the network 0123.*kyara pack create NEW --from PACK --pictures",
        ):
            attempt(pack, here)
    assert describe_packs(here) == []


@pytest.fixture
def data(there: Classifier) -> bytes:
    return write_pack(make_own(there, MIKA, Character(NEW, {"ja": "しましま"}, {})))


def rewrite(
    data: bytes, change: Callable[[dict[str, bytes]], object], compression: int = zipfile.ZIP_STORED
) -> bytes:
    """Return a pack's archive with other parts."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


def forge(data: bytes, **more: object) -> bytes:
    """Return a pack that says something else and has hashes that agree."""

    def change(parts: dict[str, bytes]) -> None:
        document = {**json.loads(parts["pack.json"]), **more}
        parts["pack.json"] = json.dumps(document).encode()
        names = ("pack.json", "features.npy")
        lines = [f"{hashlib.sha256(parts[name]).hexdigest()}  {name}\n" for name in names]
        parts["SHA256SUMS"] = "".join(lines).encode()

    return rewrite(data, change)


def test_a_pack_cut_short_anywhere_is_refused(data):
    for length in (*range(0, 200, 7), *range(200, len(data), 97), len(data) - 1):
        with pytest.raises(BadInputError, match="cut short" if length else "not a pack"):
            read_pack(data[:length])


def test_a_pack_with_any_byte_changed_is_refused_or_says_the_same(data):
    said = read_pack(data)
    for place in range(0, len(data), 11):
        changed = bytearray(data)
        changed[place] ^= 0x10
        try:
            found = read_pack(bytes(changed))
        except KyaraError:
            continue
        assert replace(found, characters=(), sha256="") == replace(said, characters=(), sha256="")
        for one, other in zip(found.characters, said.characters, strict=True):
            assert one.character == other.character
            assert one.features.tobytes() == other.features.tobytes()


@pytest.mark.parametrize("part", ["pack.json", "features.npy"])
def test_a_part_that_was_exchanged_is_told(data, part):
    forged = rewrite(data, lambda parts: parts.update({part: parts[part][:-1] + b" "}))
    with pytest.raises(BadInputError, match=f"damaged, or was changed: the SHA-256 of {part}"):
        read_pack(forged)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"format": 2}, "has the format 2; this Kyara reads 1"),
        ({"name": "../x"}, "name '../x' cannot be taken"),
        ({"author": "Rin\x1b[2J"}, "author is a text"),
        ({"licence": ""}, "licence is a text"),
        ({"network": "x"}, "not the fingerprint"),
        ({"network": 7}, "makes no sense"),
        ({"characters": []}, "makes no sense"),
        ({"characters": [{"label": "x", "name": {}, "work": {}, "faces": 5}]}, "makes no sense"),
        ({"characters": [{"label": "x", "name": {}, "work": {}, "faces": 2}] * 2}, "twice"),
        ({"characters": [{"label": "\u200b", "name": {}, "work": {}, "faces": 4}]}, "label"),
        ({"characters": [{"label": 1, "name": {}, "work": {}, "faces": 4}]}, "label"),
        ({"characters": [{"label": "x", "name": {"en": 1}, "work": {}, "faces": 4}]}, "The name"),
        ({"characters": [{"label": "x", "name": {}, "work": {}, "faces": True}]}, "makes no sense"),
        (
            {"characters": [{"label": "x", "name": {}, "work": {}, "mal_id": 0, "faces": 4}]},
            "MyAnimeList",
        ),
        ({"characters": {"label": "x"}}, "makes no sense"),
    ],
)
def test_a_pack_that_makes_no_sense_is_refused(data, more, sentence):
    with pytest.raises(BadInputError, match=sentence):
        read_pack(forge(data, **more))


def test_features_that_are_none_are_refused(there):
    pack = make_own(there, MIKA)
    for features in (np.zeros((2, 64)), np.full((2, 64), np.nan), np.full((2, 64), 1.0)):
        wrong = PackCharacter(MIKA, features.astype(np.float16))
        with pytest.raises(BadInputError, match="no embeddings"):
            write_pack(replace(pack, characters=(wrong,)))


def test_an_array_that_claims_gigabytes_takes_none(data):
    header = io.BytesIO()
    claim = {"descr": "<f2", "fortran_order": False, "shape": (2**40, 64)}
    np.lib.format.write_array_header_1_0(header, claim)

    def change(parts: dict[str, bytes]) -> None:
        parts["features.npy"] = header.getvalue() + bytes(256)

    with pytest.raises(BadInputError, match="makes no sense"):
        read_pack(forge(rewrite(data, change)))


@pytest.mark.parametrize(
    "header", ["(", "'''", "{'descr': '<f2',\n  'shape'", "  x\n y", "(" * 5000, "-" * 9000, "{", "\0"]
)
def test_an_array_whose_header_is_none_is_refused(data, header):
    line = header.encode() + b"\n"

    def change(parts: dict[str, bytes]) -> None:
        magic = np.lib.format.magic(1, 0)
        parts["features.npy"] = magic + len(line).to_bytes(2, "little") + line + bytes(256)

    with pytest.raises(BadInputError, match="makes no sense"):
        read_pack(forge(rewrite(data, change)))


def test_what_unpacks_to_more_than_it_has_is_no_pack(data):
    packed = rewrite(data, lambda parts: None, compression=zipfile.ZIP_DEFLATED)
    many = rewrite(data, lambda parts: parts.update({f"{n}": b"" for n in range(9)}))
    other = rewrite(data, lambda parts: parts.update({"x": parts.pop("pack.json")}))
    for wrong in (packed, many, other, b"GIF89a", b""):
        with pytest.raises(BadInputError, match="not a pack"):
            read_pack(wrong)
    with pytest.raises(TooLargeError, match="at most"):
        read_pack(bytes(MAX_PACK_BYTES + 1))
