import re
import sys
from pathlib import Path

import pytest

from noria.assemble import open_workspace
from noria.assemble.providers.configured import KINDS, check_kinds, configured
from noria.core.errors import InvalidInput, UnknownName
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.requests import Request
from noria.settings import BUILT_IN_PROVIDERS, Provider, Settings
from noria.settings import KINDS as WRITTEN

GATEWAY = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(BUILT_IN_PROVIDERS))
def test_a_built_in_provider_needs_only_its_key(name: str) -> None:
    variable = BUILT_IN_PROVIDERS[name].api_key_env
    there = configured(name, Settings(), {variable: "k"})
    assert there.key == "k"
    assert there.wire.headers("k")
    with pytest.raises(InvalidInput, match=f"needs its key in {variable}"):
        configured(name, Settings(), {})


def test_an_entry_of_the_file_replaces_a_built_in_provider_whole() -> None:
    mine = Provider(base_url="http://127.0.0.1:1/v1")
    there = configured("openai", Settings(providers={"openai": mine}), {"OPENAI_API_KEY": "k"})
    assert (there.provider, there.key) == (mine, "")


def test_an_unknown_provider_is_told_which_can_be_called() -> None:
    settings = Settings(providers={"mine": Provider(base_url="http://x")})
    with pytest.raises(UnknownName, match=r"no provider 'acme' .known: local, mine, groq"):
        configured("acme", settings, {"GROQ_API_KEY": "k"})


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    settings = Settings(providers={"mine": Provider(base_url="http://x", kind="opnai")})
    with pytest.raises(InvalidInput, match="'mine' is of kind 'opnai'; the kinds are anthropic, bedrock, cohere"):
        check_kinds(settings)


def test_a_choice_of_responses_is_for_those_who_have_them() -> None:
    settings = Settings(providers={"mine": Provider(base_url="http://x", kind="cohere", responses=("*",))})
    with pytest.raises(InvalidInput, match=r"kind 'cohere', which has no choice of `responses`.*openai and azure"):
        check_kinds(settings)


def test_every_kind_and_every_built_in_provider_is_documented() -> None:
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in GATEWAY.splitlines()]
    built_in = {row[0]: row[1:] for row in rows if len(row) == 4 and row[3].startswith("http")}
    assert built_in == {
        name: [there.kind, there.api_key_env, there.base_url] for name, there in BUILT_IN_PROVIDERS.items()
    }
    kinds = re.search(r"^\| kind \|(?:.*\n)+?\n", GATEWAY, re.MULTILINE)
    assert kinds is not None
    assert [line.split("|")[1].strip(" `") for line in kinds[0].splitlines()[2:-1]] == list(KINDS)
    assert tuple(KINDS) == WRITTEN


def test_a_wrong_chat_template_is_refused_when_noria_starts() -> None:
    provider = Provider(base_url="http://x", kind="tgi", chat_template="{% for %}")
    with pytest.raises(InvalidInput, match="The chat_template is no template"):
        check_kinds(Settings(providers={"mine": provider}))


async def test_a_provider_of_the_long_tail_is_called_by_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    tail = Provider(base_url="http://x", kind="litellm")
    async with open_workspace(Settings(data=str(tmp_path), providers={"tail": tail}), {}, holder="a test") as workspace:
        ask = Request(model="tail/watsonx/granite", messages=(Message(role="user", content="Hi?"),))
        with pytest.raises(InvalidInput, match=r"Install noria\[litellm\]"):
            await collect(workspace.calling.target.call(ask))
