"""Names are found by what people type for them, and others are not."""

from __future__ import annotations

import pytest

from kyara.recognition.characters import NOT_A_FACE, Character
from kyara.recognition.name_search import (
    MAX_QUERY_WORDS,
    KnownNames,
    find_namesakes,
    search_characters,
)
from kyara.recognition.spelling import fold_sound, read_pinyin, romanise, spell, split_words

KANCOLLE = {"en": "Kantai Collection", "zh": "舰队Collection", "ja": "艦隊これくしょん -艦これ-"}
PRINCESS = {"en": "Princess Connect! Re:Dive", "zh": "公主连结Re:Dive", "ja": "プリンセスコネクト！"}
EVERYBODY = {
    one.label: one
    for one in (
        Character(
            "hatsune_miku",
            {"en": "Hatsune Miku", "zh": "初音未来", "ja": "初音ミク"},
            {"en": "VOCALOID", "zh": "VOCALOID", "ja": "VOCALOID"},
        ),
        Character(
            "takanashi_kiara",
            {"en": "Takanashi Kiara", "zh": "小鸟游琪亚拉", "ja": "小鳥遊キアラ"},
            {"en": "hololive English -Myth-"},
        ),
        Character(
            "princess_connect_redive/kyaru", {"en": "Karyl", "zh": "凯露", "ja": "キャル"}, PRINCESS
        ),
        Character("kantai_collection/shigure", {"en": "Shigure", "zh": "时雨", "ja": "時雨"}, KANCOLLE),
        Character(
            "kantai_collection/tasukaruusa",
            {"en": "Tuscaloosa", "zh": "塔斯卡卢萨", "ja": "Tuscaloosa"},
            KANCOLLE,
        ),
        Character(
            "evangelion/soryu_asuka_langley",
            {
                "en": "Asuka Langley Souryuu",
                "zh": "惣流·明日香·兰格雷",
                "ja": "惣流・アスカ・ラングレー",
            },
            {"en": "Neon Genesis Evangelion", "ja": "新世紀エヴァンゲリオン"},
        ),
        Character("k_on/shouko", {"en": "Shouko Ōno", "ja": "大野 祥子"}, {"en": "K-On!"}),
        Character("unknown_work/jun_ichi_mal12", {"en": "Jun'ichi Café"}, {"en": "Hunter × Hunter"}),
    )
}


def search(query: str, **options) -> list[str]:
    return [one.label for one in search_characters(EVERYBODY.values(), query, "en", 99, **options)]


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("Miku Hatsune", "hatsune_miku"),  # another order
        ("hatsunemiku", "hatsune_miku"),  # without a space
        ("MikuHats", "hatsune_miku"),  # without a space, another order, not to the end
        ("hatsu ne miku", "hatsune_miku"),  # with spaces elsewhere
        ("vocaloid miku", "hatsune_miku"),  # with the work
        ("hatsune_miku_(vocaloid)", "hatsune_miku"),  # as image boards write it
        ("project_sekai/miku", "hatsune_miku"),  # another label of the same character
        ("みく", "hatsune_miku"),  # hiragana for katakana
        ("ﾐｸ", "hatsune_miku"),  # half as wide
        ("ＭＩＫＵ", "hatsune_miku"),  # twice as wide
        ("初音 ミク", "hatsune_miku"),  # with a space
        ("初音未來", "hatsune_miku"),  # traditional
        ("はつねみく", "hatsune_miku"),  # kana for Han
        ("chuyin", "hatsune_miku"),  # pinyin, not to the end
        ("weilai", "hatsune_miku"),  # pinyin of the second half
        ("しぐれ", "kantai_collection/shigure"),
        ("シグレ", "kantai_collection/shigure"),
        ("時雨", "kantai_collection/shigure"),
        ("时雨", "kantai_collection/shigure"),
        ("shiyu", "kantai_collection/shigure"),
        ("kancolle shigure kantai", ""),
        ("凱露", "princess_connect_redive/kyaru"),
        ("kailu", "princess_connect_redive/kyaru"),
        ("kai lu", "princess_connect_redive/kyaru"),
        ("kyaru", "princess_connect_redive/kyaru"),
        ("きゃる", "princess_connect_redive/kyaru"),
        ("karyl_(princess_connect!)", "princess_connect_redive/kyaru"),
        ("Kiara Takanashi", "takanashi_kiara"),
        ("キアラ", "takanashi_kiara"),
        ("たかなし", "takanashi_kiara"),
        ("Asuka", "evangelion/soryu_asuka_langley"),
        ("soryu", "evangelion/soryu_asuka_langley"),
        ("sōryū asuka", "evangelion/soryu_asuka_langley"),  # long vowels
        ("ono shoko", "k_on/shouko"),
        ("kon shouko", "k_on/shouko"),  # the title without its hyphen
        ("junichi cafe", "unknown_work/jun_ichi_mal12"),  # apostrophes, accents
        ("hunter x hunter", "unknown_work/jun_ichi_mal12"),
        ("hunterxhunter", "unknown_work/jun_ichi_mal12"),
        ("Tuscalosa", "kantai_collection/tasukaruusa"),  # a slip of the finger
        ("Hatsnue Miku", "hatsune_miku"),
    ],
)
def test_a_name_is_found_by_what_people_type(query, label):
    assert search(query)[:1] == [label] * bool(label)


@pytest.mark.parametrize("query", ["uka", "caloosa", "iku", "ryl", "nobody", "miku asuka", "・", "(_)"])
def test_the_middle_of_a_word_and_other_words_find_nobody(query):
    assert search(query) == []


def test_asuka_does_not_answer_tuscaloosa():
    assert search("asuka") == search("あすか") == ["evangelion/soryu_asuka_langley"]
    assert "kantai_collection/tasukaruusa" not in search("a")


def test_kana_and_han_are_found_inside_a_name():
    assert search("音ミ") == ["hatsune_miku"]
    assert search("鳥遊") == search("鸟游") == ["takanashi_kiara"]


def test_a_query_of_many_words_is_cut():
    words = "h ha hat hats hatsu hatsun hatsune hatsunem m mi mik miku".split()
    assert len(words) == MAX_QUERY_WORDS
    assert search(" ".join([*words, "nobody"])) == ["hatsune_miku"]
    assert search(" ".join([*words[1:], "nobody"])) == []


def test_a_label_is_found_as_it_is():
    assert search("unknown_work/jun_ichi_mal12") == ["unknown_work/jun_ichi_mal12"]
    assert search("unknown_work") == []


def test_a_work_finds_its_characters():
    assert search("kantai collection") == ["kantai_collection/shigure", "kantai_collection/tasukaruusa"]
    assert set(search("艦これ")) == set(search("舰队")) == set(search("kantai"))
    assert search("gongzhulianjie") == search("redive") == ["princess_connect_redive/kyaru"]


def test_an_empty_query_finds_all_sorted_by_name_and_a_limit_cuts():
    everybody = search(" ")
    assert len(everybody) == len(EVERYBODY)
    assert everybody[0] == "evangelion/soryu_asuka_langley"
    assert search(" ", references={"hatsune_miku": 9}) == everybody
    assert len(search_characters(EVERYBODY.values(), "", "en", 3)) == 3


def test_the_best_match_of_a_name_comes_first():
    names = ("Mikuma", "Airi", "Hatsune Miku", "Amiku", "Miku")
    works = {"Airi": "Songs of Miku"}
    known = [Character(name.lower(), {"en": name}, {"en": works.get(name, "")}) for name in names]
    found = [one.name["en"] for one in search_characters(known, "miku", "en", 9)]
    assert found == ["Hatsune Miku", "Miku", "Mikuma", "Airi"]


def test_of_equal_matches_those_with_more_references_come_first():
    known = [Character(name, {"en": f"Rei {name}"}, {}) for name in "abc"]
    found = search_characters(known, "rei", "en", 9, {"c": 5, "b": 7})
    assert [one.label for one in found] == ["b", "c", "a"]


def test_a_near_name_is_offered_only_where_nobody_is_called_so():
    known = [Character("a", {"en": "Karin"}, {}), Character("b", {"en": "Karen"}, {})]
    assert [one.label for one in search_characters(known, "karen", "en", 9)] == ["b"]
    assert {one.label for one in search_characters(known, "karan", "en", 9)} == {"a", "b"}
    assert search_characters(known, "kir", "en", 9) == []


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("hatsune_miku", "hatsune_miku"),
        ("hatsune miku", "hatsune_miku"),
        ("ハツネミク", "hatsune_miku"),
        ("Miku　Hatsune", "hatsune_miku"),
        ("project_sekai/miku", "hatsune_miku"),
        ("凱露", "princess_connect_redive/kyaru"),
        ("キャル", "princess_connect_redive/kyaru"),
        ("Souryuu Asuka Langley", "evangelion/soryu_asuka_langley"),
        ("kiara", None),  # a part of a name
        ("kailu", None),  # a reading that others may share
        ("", None),
        ("?!", None),
    ],
)
def test_a_whole_name_means_its_character(text, label):
    assert KnownNames.of(EVERYBODY.values()).resolve(text) == label


@pytest.mark.parametrize(
    "name",
    ["Hatsune Miku", "miku hatsune", "ＭＩＫＵ　hatsune", "初音未來", " Miku, Hatsune ", "はつねみく"],
)
def test_namesakes_have_the_whole_name(name):
    assert [one.label for one in find_namesakes(EVERYBODY.values(), name)] == ["hatsune_miku"]


@pytest.mark.parametrize("name", ["", " ", "Hatsune", "VOCALOID", "Hatsune Miku 2", "初音", "weilai"])
def test_a_part_of_a_name_is_nobodys(name):
    assert find_namesakes(EVERYBODY.values(), name) == []


def test_no_more_namesakes_than_the_limit_are_returned():
    others = [Character(f"rei_{number}", {"en": "Rei"}, {}) for number in range(5)]
    assert find_namesakes(others, "rei", 3) == others[:3]


def test_a_name_of_several_means_nobody():
    two = [Character("a/rei", {"en": "Rei"}, {}), Character("b/rei", {"en": "Ayanami Rei"}, {})]
    known = KnownNames.of(two)
    assert known.resolve("Rei") is None  # the last part of both labels
    assert known.resolve("rei ayanami") == "b/rei"


def test_labels_without_names_are_found_by_their_words():
    known = KnownNames.of([], ["some_one", "work/some_other"])
    assert known.resolve("Some One") == "some_one"
    found = search_characters(known.characters.values(), "other work", "en", 9)
    assert [one.label for one in found] == ["work/some_other"]


def test_names_are_said_in_a_language():
    rei = Character("a/rei", {"en": "Rei", "ja": "レイ"}, {})
    known = KnownNames.of([rei], ["b/no_name"], "ja", {NOT_A_FACE: "顔ではない"})
    said = [known.say(text) for text in ("a/rei", "b/no_name", NOT_A_FACE, "whoever")]
    assert said == ["レイ", "No Name", "顔ではない", "whoever"]
    assert KnownNames.of([rei]).say("a/rei") == "Rei"
    assert KnownNames.of([rei]).say(NOT_A_FACE) == "Not a face"


def test_words_are_split_and_folded():
    assert split_words("Ｒｅ：ゼロ・THE IDOLM@STER!") == ["re", "ぜろ", "the", "idolmaster"]
    assert split_words("惠恵 がぎ ｶﾞｷﾞ") == ["惠惠", "がぎ", "がぎ"]
    assert split_words("Tom & Jerry’s ½") == ["tom", "and", "jerrys", "1", "2"]
    assert split_words("・!") == []


def test_romaji_pinyin_and_sounds():
    assert romanise("れーゔぁっしゅ") == "revasshu"
    assert read_pinyin("凯露 II") == ["kai", "lu", "ii"]
    assert read_pinyin("時をかける") == read_pinyin("Karyl") == []
    assert fold_sound("shouko") == fold_sound("shohko") == fold_sound("shoko") == "shoko"
    assert fold_sound("sempai") == fold_sound("senpai")
    assert fold_sound("kohaku") == "kohaku"


def test_a_placeholder_is_no_work():
    spelt = spell("unknown_work/asa_mal12", {"en": "Asa"}, {})
    assert spelt.works.split() == []
    assert "mal12" not in spelt.names
