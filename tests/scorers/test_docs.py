"""The documentation names every scorer and every option; what it says of them is made from what is registered."""

from pathlib import Path

import yaml

from noria.core.scores import ScorerSpec
from noria.scorers.registry import kinds, make
from noria.scorers.table import markdown

PAGE = Path(__file__).parents[2] / "docs" / "scorers.md"


def test_the_table_in_the_documentation_is_the_registered_one():
    cards = [card for card in kinds().values() if card.package == "noria"]
    page = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- table: begin -->\n", "\n<!-- table: end -->"
    found = page[page.index(begin) + len(begin) : page.index(end)]
    assert found == markdown(cards), "docs/scorers.md is out of date: see its last section"


def test_the_example_in_the_documentation_makes_scorers():
    page = PAGE.read_text(encoding="utf-8")
    (example,) = (block.split("```")[0] for block in page.split("```yaml\n")[1:])
    made = []
    for entry in yaml.safe_load(example)["scorers"]:
        options = {"kind": entry} if isinstance(entry, str) else dict(entry)
        kind = options.pop("kind")
        spec = ScorerSpec(kind=kind, name=options.pop("name", kind), options=options)
        made.append(make(spec, ask=_never))
    assert [scorer.name for scorer in made] == ["exact", "sentiment", "polite"]


async def _never(request):
    raise AssertionError(request)


def test_no_option_stands_in_the_way_of_kind_and_name():
    assert all(not {"kind", "name"} & set(card.options["properties"]) for card in kinds().values())
