"""An XMP packet: keywords and face regions, read and written by exiv2; all else in it is kept.

exiv2 has a packet as a flat list of paths and values. A region is an item of a list, so all that lies
below it comes and goes with it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kyara.errors import BadInputError

KYARA_NAMESPACE = "https://kyara.invalid/ns/1.0/"
"""Of our marks; an address that nobody can own."""
_REGIONS = "Xmp.mwg-rs.Regions"
_LIST = f"{_REGIONS}/mwg-rs:RegionList"
_IN_LIST = re.compile(r"Xmp\.mwg-rs\.Regions/[\w.-]+:RegionList(?:\[(\d+)\](.*))?", re.DOTALL)
_OUR_NAME = re.compile(r"/[\w.-]+:Extensions/kyara:Name")
_AREA = re.compile(r"/[\w.-]+:Area/[\w.-]+:([xywh])")
_NAME = re.compile(r"/[\w.-]+:Name")
_IPTC_KEYWORDS = "Iptc.Application2.Keywords"
_PADDING = b"\0 \t\r\n"
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = '<?xpacket end="w"?>'
_ATTRIBUTES = rb"""(?:\s+(?:rdf:about|x:xmptk|xmlns:[\w.-]+)\s*=\s*(?:"[^"]*"|'[^']*'))*\s*"""
_NOTHING = re.compile(
    rb"""\s*(?:<\?xpacket[^>]*\?>\s*)?(?:<x:xmpmeta%(a)s>\s*)?<rdf:RDF%(a)s(?:/>|>\s*
    (?:<rdf:Description%(a)s(?:/>|>\s*</rdf:Description>)\s*)?</rdf:RDF>)
    \s*(?:</x:xmpmeta>\s*)?(?:<\?xpacket[^>]*\?>)?[\0\s]*"""
    % {b"a": _ATTRIBUTES},
    re.VERBOSE,
)
"""A packet that says nothing, and is whole."""

Area = tuple[float, float, float, float]
"""x and y of the centre, width and height, as shares of the stored picture's sides."""


@dataclass
class Region:
    """A region of somebody else's: what lies below it, as exiv2 has it."""

    entries: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def is_ours(self) -> bool:
        """Whether we have written it, and nobody has given it another name since."""
        return self._our_name is not None and self._our_name == self.name

    @property
    def is_corrected(self) -> bool:
        """Whether we have written it, and somebody has given it another name since."""
        return self._our_name is not None and self.name not in ("", self._our_name)

    @property
    def _our_name(self) -> str | None:
        found = (str(value) for path, value in self.entries if _OUR_NAME.fullmatch(path))
        return next(found, None)

    @property
    def name(self) -> str:
        """Who it is; empty where nobody is named."""
        return next((str(value) for path, value in self.entries if _NAME.fullmatch(path)), "")

    @property
    def area(self) -> Area | None:
        """Where it is; None where that cannot be read."""
        sides = {
            found[1]: str(value) for path, value in self.entries if (found := _AREA.fullmatch(path))
        }
        try:
            return float(sides["x"]), float(sides["y"]), float(sides["w"]), float(sides["h"])
        except (KeyError, ValueError):
            return None


class Packet:
    """What a sidecar says, or a picture's own XMP."""

    def __init__(self, content: bytes | None = None, *, is_embedded: bool = False) -> None:
        """Read a sidecar, or a picture's packet; without content begin a new one.

        Args:
            content: of the sidecar, or of the packet.
            is_embedded: it is a packet, which may have nothing in it.

        Raises:
            BadInputError: there is no XMP in it that can be read.
        """
        exiv2 = load_exiv2()
        self._data = exiv2.XmpData()
        self._regions: dict[int, Region] = {}
        if content is None:
            return
        try:
            image = exiv2.ImageFactory.open(content.strip(_PADDING))
            if image.imageType() != exiv2.ImageType.xmp:
                raise BadInputError("it is no XMP sidecar")
            image.readMetadata()
            found = [(one.key(), one.value().clone()) for one in image.xmpData()]
        except exiv2.Exiv2Error as error:
            raise BadInputError(f"it is no XMP sidecar ({error.args[-1]})") from error
        # exiv2 says nothing of XML that is cut short
        if not found and not (is_embedded and _NOTHING.fullmatch(content)):
            raise BadInputError("it has no XMP, or it is damaged")
        for key, value in found:
            if not (match := _IN_LIST.fullmatch(key)):
                self._data.add(exiv2.XmpKey(key), value)
            elif match[1]:
                self._regions.setdefault(int(match[1]), Region()).entries.append((match[2], value))

    @property
    def regions(self) -> list[Region]:
        """The regions that it had, in their order."""
        return [self._regions[number] for number in sorted(self._regions)]

    def read_texts(self, key: str) -> list[str]:
        """Return the texts of a list; empty where there is none."""
        place = self._data.findKey(load_exiv2().XmpKey(key))
        if place == self._data.end():
            return []
        value = place.value()
        return [value.toString(index) for index in range(value.count())]

    def write_texts(self, key: str, texts: Sequence[str], *, ordered: bool = False) -> None:
        """Make texts the list; without texts there is none."""
        exiv2 = load_exiv2()
        place = self._data.findKey(exiv2.XmpKey(key))
        if place != self._data.end():
            self._data.erase(place)
        if texts:
            kind = exiv2.TypeId.xmpSeq if ordered else exiv2.TypeId.xmpBag
            self._data.add(exiv2.XmpKey(key), exiv2.XmpArrayValue(list(texts), kind))

    def write_regions(
        self, theirs: Sequence[Region], ours: Sequence[tuple[str, str, Area]], width: int, height: int
    ) -> None:
        """Make regions the list: those of others as they are, then name, label and place of ours.

        Args:
            theirs: of `regions`.
            ours: to be marked as ours.
            width: of the stored picture, in pixels; said unless somebody has said it.
            height: likewise.
        """
        if not (theirs or ours):
            return
        if not self._has(_REGIONS):
            self._begin(_REGIONS)
        if not any("AppliedToDimensions" in one.key() for one in self._data):
            path = f"{_REGIONS}/mwg-rs:AppliedToDimensions"
            self._begin(path)
            self._say(path, {"stDim:w": str(width), "stDim:h": str(height), "stDim:unit": "pixel"})
        self._begin(_LIST, is_list=True)
        exiv2 = load_exiv2()
        for number, region in enumerate(theirs, 1):
            for path, value in region.entries:
                self._data.add(exiv2.XmpKey(f"{_LIST}[{number}]{path}"), value)
        for number, (name, label, area) in enumerate(ours, len(theirs) + 1):
            self._add_region(f"{_LIST}[{number}]", name, label, area)

    def encode(self, *, embedded: bool = False) -> bytes:
        """Return the sidecar; the same for the same content, whatever the order in which it came.

        Args:
            embedded: return what lies in a picture instead.

        Raises:
            BadInputError: what another program has written in it cannot be written again.
        """
        exiv2 = load_exiv2()
        flags = exiv2.XmpParser.XmpFormatFlags
        data = exiv2.XmpData()
        entries = [(one.key(), one.value()) for one in self._data]
        for key, value in sorted(entries, key=lambda entry: re.split(r"[/[]", entry[0])[0]):
            data.add(exiv2.XmpKey(key), value)  # below a property the order stays
        try:
            failed, text = exiv2.XmpParser.encode(data, flags.omitPacketWrapper | flags.useCompactFormat)
        except exiv2.Exiv2Error as error:
            raise BadInputError(f"it cannot be written again ({error.args[-1]})") from error
        if failed:
            raise BadInputError("it cannot be written again")
        if embedded:
            return f"{_BEGIN}\n{text.rstrip()}\n{_END}".encode()
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()

    def _add_region(self, path: str, name: str, label: str, area: Area) -> None:
        self._begin(path)
        self._say(path, {"mwg-rs:Name": name, "mwg-rs:Type": "Face"})
        self._begin(f"{path}/mwg-rs:Area")
        sides = {f"stArea:{side}": f"{share:.8f}" for side, share in zip("xywh", area, strict=True)}
        self._say(f"{path}/mwg-rs:Area", {**sides, "stArea:unit": "normalized"})
        self._begin(f"{path}/mwg-rs:Extensions")
        self._say(f"{path}/mwg-rs:Extensions", {"kyara:Label": label, "kyara:Name": name})

    def _has(self, key: str) -> bool:
        return self._data.findKey(load_exiv2().XmpKey(key)) != self._data.end()

    def _begin(self, path: str, *, is_list: bool = False) -> None:
        """Begin a structure or a list at a path."""
        exiv2 = load_exiv2()
        value = exiv2.XmpTextValue()
        if is_list:
            value.setXmpArrayType(exiv2.XmpValue.XmpArrayType.xaBag)
        else:
            value.setXmpStruct()
        self._data.add(exiv2.XmpKey(path), value)

    def _say(self, path: str, fields: dict[str, str]) -> None:
        exiv2 = load_exiv2()
        for name, text in fields.items():
            self._data.add(exiv2.XmpKey(f"{path}/{name}"), exiv2.XmpTextValue(text))


def read_iptc_keywords(data: bytes) -> list[str]:
    """Return the keywords that a picture has in IPTC, the older standard; none where it has no IPTC.

    Args:
        data: the file's bytes.
    """
    exiv2 = load_exiv2()
    try:
        image = exiv2.ImageFactory.open(data)
        image.readMetadata()
        iptc = image.iptcData()
        is_utf8 = (iptc.detectCharset() or "").upper() in ("UTF-8", "UTF8")
        values = [bytes(one.value().data()) for one in iptc if one.key() == _IPTC_KEYWORDS]
    except exiv2.Exiv2Error:
        return []
    return [value.decode("utf-8" if is_utf8 else "latin-1", "replace") for value in values]


@cache
def load_exiv2() -> Any:
    """Return exiv2, which comes with an extra: it knows our namespace, and says nothing on stderr."""
    exiv2: Any = importlib.import_module("exiv2")
    exiv2.LogMsg.setLevel(exiv2.LogMsg.Level.mute)
    exiv2.XmpProperties.registerNs(KYARA_NAMESPACE, "kyara")
    return exiv2
