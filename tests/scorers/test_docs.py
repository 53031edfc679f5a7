"""The documentation names every scorer and every option; what it says of them is made from what is registered."""

from pathlib import Path

from noria.scorers.registry import kinds
from noria.scorers.table import markdown

PAGE = Path(__file__).parents[2] / "docs" / "scorers.md"


def test_the_table_in_the_documentation_is_the_registered_one():
    cards = [card for card in kinds().values() if card.package == "noria"]
    page = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- table: begin -->\n", "\n<!-- table: end -->"
    found = page[page.index(begin) + len(begin) : page.index(end)]
    assert found == markdown(cards), "docs/scorers.md is out of date: see its last section"
