"""Characters by work: titles that are one, addresses, and who has no work."""

from __future__ import annotations

from kyara.recognition.catalogue import NO_WORK, Catalogue
from kyara.recognition.characters import Character


def make(*works: dict[str, str]) -> Catalogue:
    return Catalogue.of([Character(f"c{n}", {"en": f"C {n}"}, work) for n, work in enumerate(works)])


def list_members(catalogue: Catalogue) -> dict[str, list[str]]:
    return {slug: [one.label for one in work.characters] for slug, work in catalogue.works.items()}


def test_titles_that_differ_in_signs_alone_are_one_work_and_most_decide():
    catalogue = make(
        {"en": "SHUFFLE!"}, {"en": "Shuffle!"}, {"en": "Shuffle!"}, {"en": "The Shuffle"}, {"en": "K"}
    )
    assert list_members(catalogue) == {"shuffle": ["c0", "c1", "c2", "c3"], "k": ["c4"]}
    assert catalogue.works["shuffle"].title_in("ja") == "Shuffle!"


def test_titles_that_are_one_in_another_language_are_one_work():
    catalogue = make(
        {"en": "Ao Haru Ride", "ja": "アオハライド"},
        {"en": "Blue Spring Ride", "ja": "アオハライド", "zh": "青春之旅"},
        {"en": "Blue Spring Ride"},
    )
    (work,) = catalogue.works.values()
    assert len(work.characters) == 3
    assert work.title == {"en": "Blue Spring Ride", "ja": "アオハライド", "zh": "青春之旅"}
    assert [one.slug for one in catalogue.search_works("ao haru")] == ["blue-spring-ride"]


def test_the_largest_work_comes_first_and_those_without_one_last():
    catalogue = make({}, {}, {}, {"en": "A"}, {"ja": "けいおん！"}, {"ja": "けいおん!"})
    assert list(catalogue.works) == ["けいおん", "a", NO_WORK]
    assert catalogue.count_works() == 2
    assert catalogue.slugs["c0"] == NO_WORK
    assert catalogue.works[NO_WORK].title_in("en") == ""
    assert catalogue.search_works("") == catalogue.search_works("-") == []


def test_works_with_the_same_words_have_addresses_of_their_own():
    catalogue = make({"en": "!!"}, {"en": "??"}, {"en": "Re Zero"}, {"en": "Rezero", "ja": "他"})
    assert len(catalogue.works) == len(set(catalogue.works)) == len(set(catalogue.slugs.values()))
    assert "untitled" in catalogue.works


def test_works_are_found_in_other_spellings():
    catalogue = make({"en": "THE IDOLM@STER", "ja": "アイドルマスター", "zh": "偶像大师"})
    for query in ("idolmaster", "あいどる", "偶像大師", "ouxiang", "マスター"):
        assert len(catalogue.search_works(query)) == 1, query
    assert catalogue.search_works("master") == catalogue.search_works("idol girls") == []


def test_characters_without_a_name_are_left_out():
    known = [Character("a", {"en": "A"}, {"en": "W"}), Character("w/code", {}, {"en": "W"})]
    assert list_members(Catalogue.of(known)) == {"w": ["a"]}


def test_nobody_at_all_is_a_list_too():
    assert Catalogue.of([]).works == {}
