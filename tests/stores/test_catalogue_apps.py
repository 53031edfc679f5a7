import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from noria.core.apps import App, Release, Share, Variant
from noria.core.errors import Conflict, InvalidInput, UnknownName
from noria.core.prompts import Block, Prompt
from noria.core.requests import Parameters
from noria.stores.catalogue import Catalogue


def variant(seed: int) -> Variant:
    return Variant(model="local/tiny", params=Parameters(seed=seed))


@pytest.fixture
def boolq(catalogue: Catalogue) -> Catalogue:
    """An app with variants a, b, c."""
    catalogue.apps.put("boolq", "yes or no")
    for seed, name in enumerate("abc"):
        catalogue.apps.add_variant("boolq", name, variant(seed), by="ada")
    return catalogue


def to(seed: int) -> tuple[Share, ...]:
    return (Share(variant_id=variant(seed).id),)


def test_put_makes_and_describes(catalogue: Catalogue) -> None:
    made = catalogue.apps.put("boolq")
    assert made == App(name="boolq", created_ns=made.created_ns)
    assert made.created_ns > 0
    assert catalogue.apps.put("boolq", "yes or no").description == "yes or no"
    again = catalogue.apps.put("boolq")
    assert (again.description, again.created_ns) == ("yes or no", made.created_ns)
    assert catalogue.apps.get("boolq") == again


def test_a_bad_name_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InvalidInput, match="The app name 'local/boolq' is not allowed"):
        catalogue.apps.put("local/boolq")
    assert catalogue.apps.list() == []


def test_variants_by_name_newest_meaning_first(boolq: Catalogue) -> None:
    named = boolq.apps.add_variant("boolq", "a", variant(9), by="ada")
    assert (named.name, named.variant, named.variant_id) == ("a", variant(9), variant(9).id)
    app = boolq.apps.get("boolq")
    assert [(item.name, item.variant) for item in app.variants] == [
        ("a", variant(9)),
        ("b", variant(1)),
        ("c", variant(2)),
    ]
    assert boolq.apps.variant(variant(0).id) == variant(0), "what a name meant before stays known"
    assert boolq.apps.variant(variant(0).id.removeprefix("variant_")[:8]) == variant(0)


def test_adding_the_same_variant_again_changes_nothing(boolq: Catalogue) -> None:
    before = boolq.apps.get("boolq")
    assert boolq.apps.add_variant("boolq", "a", variant(0), by="bob").variant == variant(0)
    assert boolq.apps.get("boolq") == before


def test_a_variants_prompt_must_be_in_the_catalogue(catalogue: Catalogue) -> None:
    prompt = Prompt(blocks=(Block(role="user", template="hi"),))
    with_prompt = Variant(model="local/tiny", prompt_id=prompt.id)
    catalogue.apps.put("boolq")
    with pytest.raises(UnknownName, match="no prompt"):
        catalogue.apps.add_variant("boolq", "a", with_prompt, by="ada")
    catalogue.prompts.push("review", prompt, by="ada")
    assert catalogue.apps.add_variant("boolq", "a", with_prompt, by="ada").variant == with_prompt


def test_a_release_says_who_gets_what(boolq: Catalogue) -> None:
    assert boolq.apps.get("boolq").release is None
    shares = (Share(variant_id=variant(0).id, weight=3.0), Share(variant_id=variant(1).id))
    made = boolq.apps.release("boolq", shares, by="ada", reason="better", experiment_id="e1")
    assert made == Release(
        id=made.id,
        app="boolq",
        shares=shares,
        created_ns=made.created_ns,
        created_by="ada",
        reason="better",
        experiment_id="e1",
    )
    assert boolq.apps.get("boolq").release == made
    assert boolq.apps.releases("boolq") == [made]


def test_releases_are_newest_first_and_each_apps_own(boolq: Catalogue) -> None:
    boolq.apps.put("other")
    boolq.apps.add_variant("other", "a", variant(0), by="ada")
    first = boolq.apps.release("boolq", to(0), by="ada")
    other = boolq.apps.release("other", to(0), by="ada")
    second = boolq.apps.release("boolq", to(1), by="ada")
    assert boolq.apps.releases("boolq") == [second, first]
    assert [(app.name, app.release, len(app.variants)) for app in boolq.apps.list()] == [
        ("boolq", second, 3),
        ("other", other, 1),
    ]


def test_rolling_back_goes_further_back_each_time(boolq: Catalogue) -> None:
    first, second, third = (boolq.apps.release("boolq", to(seed), by="ada") for seed in range(3))
    back = boolq.apps.roll_back("boolq", by="bob", reason="complaints")
    assert (back.shares, back.rolled_back_from, back.created_by, back.reason) == (
        second.shares,
        third.id,
        "bob",
        "complaints",
    )
    assert boolq.apps.get("boolq").release == back
    further = boolq.apps.roll_back("boolq", by="bob")
    assert (further.shares, further.rolled_back_from) == (first.shares, back.id)
    with pytest.raises(Conflict, match="nothing to roll back to"):
        boolq.apps.roll_back("boolq", by="bob")
    assert [item.id for item in boolq.apps.releases("boolq")] == [further.id, back.id, third.id, second.id, first.id]


def test_a_release_after_a_rollback_is_rolled_back_to_what_was_in_force(boolq: Catalogue) -> None:
    boolq.apps.release("boolq", to(0), by="ada")
    boolq.apps.release("boolq", to(1), by="ada")
    back = boolq.apps.roll_back("boolq", by="ada")
    boolq.apps.release("boolq", to(2), by="ada")
    again = boolq.apps.roll_back("boolq", by="ada")
    assert again.shares == back.shares == to(0)
    with pytest.raises(Conflict):
        boolq.apps.roll_back("boolq", by="ada")


def test_without_a_release_there_is_nothing_to_roll_back(boolq: Catalogue) -> None:
    with pytest.raises(Conflict, match="no release"):
        boolq.apps.roll_back("boolq", by="ada")
    boolq.apps.release("boolq", to(0), by="ada")
    with pytest.raises(Conflict, match="its first release"):
        boolq.apps.roll_back("boolq", by="ada")


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ((), "at least one"),
        (to(0) + to(0), "each variant once"),
        ((Share(variant_id=variant(0).id, weight=0),), "above 0"),
        ((Share(variant_id=variant(0).id, weight=-1),), "above 0"),
        ((Share(variant_id=variant(0).id, weight=float("nan")),), "above 0"),
        ((Share(variant_id=variant(0).id, weight=float("inf")),), "above 0"),
        (to(7), "no variant .* of app 'boolq'"),
    ],
)  # fmt: skip
def test_a_release_that_makes_no_sense_is_refused(boolq: Catalogue, shares: tuple[Share, ...], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        boolq.apps.release("boolq", shares, by="ada")
    assert boolq.apps.releases("boolq") == []


def test_unknown_apps_and_variants(boolq: Catalogue) -> None:
    for ask in (
        lambda: boolq.apps.get("bool"),
        lambda: boolq.apps.releases("bool"),
        lambda: boolq.apps.release("bool", to(0), by="ada"),
        lambda: boolq.apps.roll_back("bool", by="ada"),
        lambda: boolq.apps.add_variant("bool", "a", variant(0), by="ada"),
    ):
        with pytest.raises(UnknownName, match=r"no app 'bool'. Did you mean boolq\?"):
            ask()
    with pytest.raises(UnknownName):
        boolq.apps.variant("variant_ffffffff")


def test_many_apps_are_listed_up_to_ten(catalogue: Catalogue) -> None:
    for number in range(12):
        catalogue.apps.put(f"app-{number:02}")
    with pytest.raises(UnknownName, match="app-09 and 2 more"):
        catalogue.apps.get("zzz")


def test_rollbacks_at_the_same_time_each_go_one_back(boolq: Catalogue) -> None:
    for seed in (0, 1, 2, 0, 1):
        boolq.apps.release("boolq", to(seed), by="ada")
    start = threading.Barrier(4)

    def roll_back(_: int) -> tuple[Share, ...]:
        start.wait()
        return boolq.apps.roll_back("boolq", by="ada").shares

    with ThreadPoolExecutor(4) as pool:
        seen = sorted(pool.map(roll_back, range(4)), key=str)
    assert seen == sorted([to(0), to(2), to(1), to(0)], key=str)
    assert boolq.apps.get("boolq").release == boolq.apps.releases("boolq")[0]


def test_changes_counts_commits_only(catalogue: Catalogue) -> None:
    before = catalogue.changes
    catalogue.apps.put("boolq")
    assert catalogue.changes == before + 1
    catalogue.apps.get("boolq")
    with pytest.raises(Conflict):
        catalogue.apps.roll_back("boolq", by="ada")
    assert catalogue.changes == before + 1
