"""docs/security.md: every test that it names exists, and no item of OWASP's lists lacks one."""

from __future__ import annotations

import re

from command_line import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}


def read_items() -> list[list[str]]:
    """Return the rows of both tables: item, what Kyara does, tests."""
    lists = PAGE[PAGE.index("## OWASP: File Upload") : PAGE.index("## Headers")]
    rows = [line.strip("| ").split(" | ") for line in lists.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "item"]


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named <= TESTS, named - TESTS


def test_every_item_says_what_is_done_and_names_a_test():
    items = read_items()
    assert [row[0].split()[0] for row in items[-10:]] == [f"API{number}" for number in range(1, 11)]
    assert len(items) >= 27
    for row in items:
        assert len(row) == 3, row
        assert len(row[1].split()) >= 5, row
        assert re.search(r"`test_\w+`", row[2]), row


def test_the_page_names_every_setting_of_security():
    for name in ("HSTS_SECONDS", "RATE_LIMITS", "REDIS_URL", "REPORT_SENDER_QUOTA", "TRUSTED_PROXIES"):
        assert f"KYARA_{name}" in PAGE
    from kyara.web.ops.limits import DEFAULT_LIMITS

    assert DEFAULT_LIMITS in PAGE


def test_the_threat_model_has_ten_lines():
    model = PAGE[PAGE.index("## Threat model") : PAGE.index("## OWASP")]
    assert len(re.findall(r"^\d+\. ", model, re.MULTILINE)) == 10
