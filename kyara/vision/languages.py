"""The languages of names and of the page. To add one: docs/how-to/add-a-language.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args


@dataclass(frozen=True)
class Language:
    """A language that names are kept in and the page is shown in.

    Attributes:
        code: as the API, options and files of names spell it.
        locale: folder of its translations, as Babel spells it.
        name: the language in itself.
        short: the same for narrow screens.
        english: its English name.
        font: as fontconfig spells it; one Chinese character is drawn differently in Japan.
        unnamed: what a character without an established name is called.
    """

    code: str
    locale: str
    name: str
    short: str
    english: str
    font: str
    unnamed: str

    @property
    def tag(self) -> str:
        """The language as HTML's `lang` spells it."""
        return self.locale.replace("_", "-")


LanguageCode = Literal["en", "zh", "ja"]
"""The codes of `LANGUAGES`, for schemas that are made of types."""
DEFAULT_LANGUAGE = "en"
LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "en", "English", "EN", "English", "en", "Unnamed character"),
        Language("zh", "zh_Hans", "简体中文", "中", "Chinese", "zh-cn", "未命名角色"),
        Language("ja", "ja", "日本語", "日", "Japanese", "ja", "名前のわからないキャラクター"),
    )
}
"""Code → language, in the order in which they are listed and fall back."""
assert get_args(LanguageCode) == tuple(LANGUAGES)


def guess_language(text: str) -> str:
    """Say in which of the languages a name is written: kana is Japanese, Han alone Chinese."""
    if re.search(r"[\u3040-\u30ff\uff66-\uff9f]", text):
        return "ja"
    return "zh" if re.search(r"[\u3400-\u9fff]", text) else "en"
