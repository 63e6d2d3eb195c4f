"""XMP sidecars, read back by exiftool, which shares no code with exiv2 that writes them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_library import MIKU, export, hash_all
from PIL import ExifTags, Image, ImageOps

from kyara.dataset.library.export.xmp import find_area, measure_overlap, read_orientation
from kyara.errors import BadInputError

DIGIKAM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
  xmlns:own="http://example.org/own/" own:note="&lt;keep&gt;"
  xmlns:{regions}="http://www.metadataworkinggroup.com/schemas/regions/"
  xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
  xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Two</rdf:li><rdf:li xml:lang="ja">二人</rdf:li></rdf:Alt>
</dc:title><dc:subject><rdf:Bag><rdf:li>holiday</rdf:li><rdf:li>Saber</rdf:li></rdf:Bag></dc:subject>
<digiKam:TagsList><rdf:Seq><rdf:li>Places/Tokyo</rdf:li></rdf:Seq></digiKam:TagsList>
<{regions}:Regions rdf:parseType="Resource">
<{regions}:AppliedToDimensions stDim:w="200" stDim:h="100" stDim:unit="pixel"/>
<{regions}:RegionList><rdf:Bag>
<rdf:li><rdf:Description {regions}:Name="Artoria" {regions}:Type="Face">
<{regions}:Area stArea:x="0.63" stArea:y="0.7" stArea:w="0.25" stArea:h="0.6" stArea:unit="normalized"/>
</rdf:Description></rdf:li>
<rdf:li><rdf:Description {regions}:Type="Pet">
<{regions}:Area stArea:x="0.2" stArea:y="0.25" stArea:w="0.2" stArea:h="0.3" stArea:unit="normalized"/>
</rdf:Description></rdf:li>
</rdf:Bag></{regions}:RegionList></{regions}:Regions>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
"""A sidecar with a rating, a title, keywords, a note of nobody's known namespace and two regions."""


def read_xmp(path: Path) -> dict[str, Any]:
    """Return what exiftool reads of a sidecar; lists stay lists, and nothing is made readable."""
    done = subprocess.run(
        ["exiftool", "-json", "-struct", "-n", "-a", "-validate", "-warning", "-XMP:all", str(path)],
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)[0]


def test_regions_and_keywords_are_what_exiftool_reads(library, pictures):
    before = hash_all(pictures)
    export("xmp", library)
    found = read_xmp(pictures / "a" / "both 初音.jpg.xmp")
    assert "Warning" not in found
    assert found["Subject"] == ["初音ミク", "ボーカロイド", "セイバー", "Fate／stay night"]
    assert found["HierarchicalSubject"] == ["ボーカロイド|初音ミク", "Fate／stay night|セイバー"]
    assert found["TagsList"] == ["ボーカロイド/初音ミク", "Fate／stay night/セイバー"]
    info = found["RegionInfo"]
    assert info["AppliedToDimensions"] == {"W": 200, "H": 100, "Unit": "pixel"}
    named = [(region["Name"], region["Type"], region["Area"]) for region in info["RegionList"]]
    assert named == [
        ("初音ミク", "Face", {"X": 0.2, "Y": 0.25, "W": 0.2, "H": 0.3, "Unit": "normalized"}),
        ("セイバー", "Face", {"X": 0.625, "Y": 0.7, "W": 0.25, "H": 0.6, "Unit": "normalized"}),
    ]
    assert hash_all(pictures) == before
    assert not (pictures / "b" / "stranger.png.xmp").exists()
    assert not (pictures / "b" / "saber.png.xmp").exists(), "probable names were not asked for"


def test_a_slash_in_a_title_makes_no_level(library, pictures):
    export("xmp", library, language="en")
    found = read_xmp(pictures / "a" / "both 初音.jpg.xmp")
    assert "Fate/stay night|Saber" in found["HierarchicalSubject"]
    assert "Fate\\stay night/Saber" in found["TagsList"], "as digiKam makes it of the line above"


def test_a_region_of_a_turned_picture_lies_in_the_stored_pixels(library, pictures):
    export("xmp", library)
    info = read_xmp(pictures / "a" / "turned.jpg.xmp")["RegionInfo"]
    # upright: 60 × 120, box 10, 20, 30, 40; turned 90° against the clock, as it is stored: 120 × 60
    assert info["AppliedToDimensions"] == {"W": 120, "H": 60, "Unit": "pixel"}
    area = info["RegionList"][0]["Area"]
    wide, high = area["W"] * 120, area["H"] * 60
    box = area["X"] * 120 - wide / 2, area["Y"] * 60 - high / 2, wide, high
    assert box == pytest.approx((20, 60 - 10 - 30, 40, 30), abs=1e-4)


@pytest.mark.parametrize("turned", range(1, 9))
def test_areas_turn_as_pillow_turns_pixels(turned):
    stored = np.zeros((40, 70), np.uint8)
    stored[5:15, 20:50] = 255
    image = Image.fromarray(stored)
    image.getexif()[ExifTags.Base.Orientation] = turned
    upright = np.asarray(ImageOps.exif_transpose(image))
    rows, columns = np.nonzero(upright)
    x, y, wide, high = map(int, (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1))
    area = find_area((x, y, wide, high), upright.shape[1], upright.shape[0], turned)
    assert area == pytest.approx((35 / 70, 10 / 40, 30 / 70, 10 / 40))


@pytest.mark.parametrize("prefix", ["mwg-rs", "regs"])
def test_what_digikam_has_written_stays(library, pictures, prefix):
    sidecar = pictures / "a" / "both 初音.jpg.xmp"
    sidecar.write_text(DIGIKAM.replace("{regions}", prefix), encoding="utf-8")
    before = read_xmp(sidecar)
    export("xmp", library, language="en")
    after = read_xmp(sidecar)
    assert "Warning" not in after
    for kept in ("Rating", "Title", "Title-ja", "Note"):
        assert after[kept] == before[kept]
    assert after["Subject"] == ["holiday", "Saber", "Hatsune Miku", "Vocaloid", "Fate/stay night"]
    assert after["TagsList"] == ["Places/Tokyo", "Vocaloid/Hatsune Miku", "Fate\\stay night/Saber"]
    regions = after["RegionInfo"]["RegionList"]
    assert regions[:2] == before["RegionInfo"]["RegionList"]
    assert [region.get("Name") for region in regions[2:]] == ["Hatsune Miku"], "Artoria is Saber's face"


def test_an_export_again_replaces_what_the_first_wrote_and_nothing_else(library, pictures):
    sidecar = pictures / "a" / "both 初音.jpg.xmp"
    sidecar.write_text(DIGIKAM.replace("{regions}", "mwg-rs"), encoding="utf-8")
    export("xmp", library, language="en")
    first = sidecar.read_bytes()
    export("xmp", library, language="en")
    assert sidecar.read_bytes() == first
    export("xmp", library, character=MIKU)
    found = read_xmp(sidecar)
    assert found["Subject"] == ["holiday", "Saber", "初音ミク", "ボーカロイド"]
    assert found["TagsList"] == ["Places/Tokyo", "ボーカロイド/初音ミク"]
    assert found["HierarchicalSubject"] in (["ボーカロイド|初音ミク"], "ボーカロイド|初音ミク")
    names = [region.get("Name") for region in found["RegionInfo"]["RegionList"]]
    assert names == ["Artoria", None, "初音ミク"]


def test_a_name_that_somebody_has_corrected_in_a_region_of_ours_stays(library, pictures):
    export("xmp", library, language="en")
    sidecar = pictures / "a" / "turned.jpg.xmp"
    told = sidecar.read_text(encoding="utf-8")
    corrected = re.sub(r'(mwg-rs:Name(?:="|>))Hatsune Miku', r"\1Kagamine Rin", told)
    assert corrected != told
    sidecar.write_text(corrected, encoding="utf-8")
    export("xmp", library, language="en")
    found = read_xmp(sidecar)
    assert [region["Name"] for region in found["RegionInfo"]["RegionList"]] == ["Kagamine Rin"]
    assert not {"Subject", "HierarchicalSubject", "TagsList"} & found.keys(), "ours told the old name"


def test_a_corrected_name_takes_only_its_own_keywords_away(library, pictures):
    sidecar = pictures / "a" / "both 初音.jpg.xmp"
    export("xmp", library, language="en")
    told = sidecar.read_text(encoding="utf-8")
    mine = told.replace(
        "<rdf:li>Hatsune Miku</rdf:li>", "<rdf:li>mine</rdf:li><rdf:li>Hatsune Miku</rdf:li>", 1
    )
    corrected = re.sub(r'(mwg-rs:Name(?:="|>))Hatsune Miku', r"\1Kagamine Rin", mine)
    assert corrected != mine != told
    sidecar.write_text(corrected, encoding="utf-8")
    for _ in range(2):
        export("xmp", library, language="en")
        found = read_xmp(sidecar)
        assert found["Subject"] == ["mine", "Saber", "Fate/stay night"]
        assert found["TagsList"] in (["Fate\\stay night/Saber"], "Fate\\stay night/Saber")
        names = [region["Name"] for region in found["RegionInfo"]["RegionList"]]
        assert names == ["Kagamine Rin", "Saber"]


def test_a_name_that_was_corrected_to_the_right_one_keeps_its_keywords(library, pictures):
    sidecar = pictures / "a" / "turned.jpg.xmp"
    export("xmp", library, language="en")
    told = sidecar.read_text(encoding="utf-8")
    sidecar.write_text(re.sub(r'(kyara:Name(?:="|>))Hatsune Miku', r"\1Kagamine Rin", told), "utf-8")
    export("xmp", library, language="en")
    found = read_xmp(sidecar)
    assert found["Subject"] == ["Hatsune Miku", "Vocaloid"]
    assert [region["Name"] for region in found["RegionInfo"]["RegionList"]] == ["Hatsune Miku"]


def test_the_orientation_of_a_very_large_picture_is_read(tmp_path, monkeypatch):
    image = Image.new("L", (64, 48))
    image.getexif()[ExifTags.Base.Orientation] = 6
    image.save(tmp_path / "large.jpg", exif=image.getexif())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # of which Pillow warns; a warning is an error
    assert read_orientation(tmp_path / "large.jpg") == 6
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # which Pillow refuses
    assert read_orientation(tmp_path / "large.jpg") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"notes of mine",
        b"<?xml version='1.0'?><notes/>",
        DIGIKAM.replace("{regions}", "mwg-rs").encode()[:900],
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["empty", "text", "other XML", "cut short", "picture"],
)
def test_a_sidecar_that_is_no_xmp_is_refused_and_stays(library, pictures, content):
    sidecar = pictures / "a" / "turned.jpg.xmp"
    sidecar.write_bytes(content)
    with pytest.raises(BadInputError, match=r"turned\.jpg\.xmp is there, and .*Move it away"):
        export("xmp", library)
    assert sidecar.read_bytes() == content
    assert not (pictures / "a" / "both 初音.jpg.xmp").exists()


def test_overlap_by_hand():
    assert measure_overlap((0.5, 0.5, 0.2, 0.2), (0.6, 0.5, 0.2, 0.2)) == pytest.approx(1 / 3)
    assert measure_overlap((0.2, 0.2, 0.2, 0.2), (0.6, 0.6, 0.2, 0.2)) == 0
