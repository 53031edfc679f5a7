"""What the commands do, as a person would use them one after another."""

import json
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from noria_cli import Noria, write_project
from upstream import Upstream

from engines.gguf_files import gguf


def ok(noria: Noria, *arguments: str | Path) -> str:
    result = noria.here(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(noria: Noria, *arguments: str | Path) -> str:
    result = noria.here(*arguments)
    assert result.exit_code == 2, result.stdout
    return result.stderr


def test_from_a_prompt_to_a_release_and_back(noria: Noria, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project")
    prompt, short = file.with_name("triage.md"), file.with_name("short.md")
    assert ok(noria, "prompts", "push", prompt, "--note", "first").split()[::2] == ["triage@1", "new"]
    assert "as before" in ok(noria, "prompts", "push", prompt)
    assert "triage@2" in ok(noria, "prompts", "push", short, "--label", "staging")
    assert "triage@production is now version 1" in ok(noria, "prompts", "label", "triage@1", "production")
    assert "production" in ok(noria, "prompts", "show", "triage", "--versions")
    assert "How is it?" in ok(noria, "prompts", "show", "triage@production")
    assert ok(noria, "prompts", "diff", "triage@1", "triage@1") == "No difference.\n"
    assert "+Judge: {{ text }}" in ok(noria, "prompts", "diff", "triage@1", "triage@staging")
    assert "triage@2" in refused(noria, "prompts", "label", "triage", "production")
    assert "--name goes with one file" in refused(noria, "prompts", "push", prompt, short, "--name", "x")

    assert "noria apps add triage" in ok(noria, "apps", "create", "triage", "--description", "Sorts.")
    assert "No variant yet" in ok(noria, "apps", "show", "triage")
    (tmp_path / "params.json").write_text('{"temperature": 0}')
    made = ok(noria, "apps", "add", "triage", "a", "--model", "fake/m", "--params", f"@{tmp_path / 'params.json'}")
    assert "Put it in force: noria promote triage a" in made
    ok(noria, "apps", "add", "triage", "b", "--model", "fake/m", "--prompt", "triage@staging")
    again = noria.here("apps", "add", "triage", "b", "--model", "fake/other")
    assert "triage@b was variant_" in again.stderr
    assert noria.here("apps", "add", "triage", "b", "--model", "fake/other").stderr == ""
    assert "--params" in refused(noria, "apps", "add", "triage", "c", "--model", "fake/m", "--params", "{")
    shadowed = ok(noria, "promote", "triage", "a", "--shadow", "b=0.25")
    assert "a, b as a shadow 25%" in shadowed
    assert "a 80%, b 20%" in ok(noria, "promote", "triage", "b", "--part", "0.2")
    assert "less than 1" in refused(noria, "promote", "triage", "b", "--part", "1")
    assert "triage now serves a." in ok(noria, "promote", "triage", "a", "--reason", "first")
    assert "a 90%, b 10%" in ok(noria, "promote", "triage", "a=90", "b=10")
    assert "is not a number" in refused(noria, "promote", "triage", "a=many")
    assert "triage serves a again." in ok(noria, "rollback", "triage", "--reason", "slow")
    shown = ok(noria, "apps", "show", "triage")
    assert "rollback. slow" in shown
    assert [line.split()[-1] for line in ok(noria, "apps", "list").splitlines()] == ["description", "Sorts."]


@pytest.mark.parametrize("things", ["apps", "datasets", "experiments", "models", "monitors", "prompts", "traces"])
def test_an_empty_list_says_what_to_do(noria: Noria, things: str) -> None:
    said = ok(noria, things, "list")
    assert said.startswith("No ")
    assert "noria " in said
    assert noria.json(things, "list") == []


def test_login_without_a_server(noria: Noria) -> None:
    assert "noria up" in refused(noria, "login")


def test_prompts_of_the_catalogue_and_none_at_all(noria: Noria, tmp_path: Path, upstream: Upstream) -> None:
    ok(noria, "prompts", "push", write_project(tmp_path / "project").with_name("triage.md"))
    variants = [
        {"name": "stored", "model": "fake/m", "prompt": "triage@1"},
        {"name": "bare", "model": "fake/m"},
    ]
    ok(noria, "eval", named(tmp_path, variants))
    assert sum(text.startswith("How is it? case") for text in upstream.calls) == 6
    assert sum(text.startswith("case") for text in upstream.calls) == 6
    assert "bare vs stored" in ok(noria, "experiments", "compare", noria.json("experiments", "list")[0]["id"])
    assert "has no version '7'" in refused(noria, "eval", named(tmp_path, [{**variants[0], "prompt": "triage@7"}]))


def test_monitors(noria: Noria) -> None:
    ok(noria, "apps", "create", "triage")
    assert "triage-latency watches triage" in ok(noria, "monitors", "attach", "triage", "latency")
    assert "needs a reference" in refused(noria, "monitors", "attach", "triage", "exact")
    assert "--options" in refused(noria, "monitors", "attach", "triage", "one_of", "--options", "{")
    assert noria.here("monitors", "attach", "triage", "latency", "--rate", "2").exit_code == 2
    assert noria.json("monitors", "list")[0]["findings"] is None
    assert "its scores stay" in ok(noria, "monitors", "detach", "triage-latency")
    assert "No monitors yet" in ok(noria, "monitors", "list")


def test_models(noria: Noria, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no weights")
    assert "broken.gguf" in refused(noria, "models", "pull", f"file:{broken}", "--slots", "2")
    assert "Known: smollm2-135m" in refused(noria, "models", "pull", "nonsense")
    assert "There is no model 'x'" in refused(noria, "models", "remove", "local/x")
    assert "noria models pull smollm2-135m" in ok(noria, "models", "list")


def test_weights_come_and_go(noria: Noria, tmp_path: Path) -> None:
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(gguf())
    assert "local/tiny is ready" in ok(noria, "models", "pull", f"file:{weights}")
    ok(noria, "models", "pull", f"file:{weights}", "--name", "small-kv", "--kv-cache", "q8_0")
    listed = ok(noria, "models", "list")
    assert sorted(line.split()[0] for line in listed.splitlines()[1:]) == ["local/small-kv", "local/tiny"]
    assert "q8_0" in listed
    assert "local/tiny is gone" in ok(noria, "models", "remove", "tiny")
    assert [one["model"]["name"] for one in noria.json("models", "list")] == ["small-kv"]


def test_an_evaluation_and_what_it_left(noria: Noria, tmp_path: Path, upstream: Upstream) -> None:
    file = write_project(
        tmp_path / "project", variants=["plain", "short"], app="triage", pass_if="accuracy.mean > 0.9",
        scorers=[{"kind": "exact", "name": "accuracy"}, {"kind": "classify", "name": "label", "labels": ["positive", "negative"]}],
    )  # fmt: skip
    assert ok(noria, "eval", file, "--check") == f"{file} is right: 6 cases.\n"
    assert upstream.calls == []
    shown = ok(noria, "eval", file)
    assert "= short and plain are equal on all 6 cases" in shown
    assert "✓ gate accuracy.mean > 0.9" in shown
    assert "precision" in shown
    assert len(upstream.calls) == 12
    ok(noria, "eval", file)
    assert len(upstream.calls) == 12, "the second time replies come from the record"
    ok(noria, "eval", file, "--no-cache", "--fresh", "--concurrency", "1")
    assert len(upstream.calls) == 24
    first = noria.json("experiments", "list")[-1]["id"][:10]
    assert "equal" in ok(noria, "experiments", "compare", first)
    assert "to repeat it" in ok(noria, "experiments", "show", first)
    assert len(noria.json("traces", "list", "--limit", "5")) == 5
    trace = noria.json("traces", "list", "--app", "triage")[0]["trace_id"]
    assert "accuracy = true" in ok(noria, "traces", "show", trace[:16])
    assert ok(noria, "traces", "list").count("\n") == 21
    # an app's variant, and what its release serves, can be evaluated too
    ok(noria, "apps", "add", "triage", "served", "--model", "fake/m", "--prompt", "triage@1")
    variants = [{"name": "named", "variant": "triage/served"}]
    assert "named" in ok(noria, "eval", named(tmp_path, variants))
    assert "does not serve exactly one" in refused(
        noria, "eval", named(tmp_path, [{"name": "now", "variant": "triage"}])
    )
    assert "has no variant 'x'" in refused(noria, "eval", named(tmp_path, [{"name": "now", "variant": "triage/x"}]))


def named(tmp_path: Path, variants: list[dict[str, str]]) -> Path:
    """An evaluation of variants that an app has."""
    file = write_project(tmp_path / "named")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"variants": variants}))
    return file


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_asked_to_stop_ends_well(noria: Noria, number: signal.Signals) -> None:
    with noria.start("up", "--port", "0") as server:
        assert server.stdout is not None
        assert "(log in: http://127.0.0.1:" in server.stdout.readline()
        server.send_signal(number)
        assert server.wait(timeout=30) == 0
    assert ok(noria, "prompts", "list").startswith("No prompts yet")


def test_a_second_signal_ends_the_server_at_once(noria: Noria, upstream: Upstream) -> None:
    upstream.hold_after = 0
    with noria.start("up", "--port", "0") as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[4]
        body = b'{"model": "fake/m", "messages": [{"role": "user", "content": "hi"}]}'
        key = (noria.folder / "admin.key").read_text().strip()
        request = urllib.request.Request(
            f"{url}/v1/chat/completions", body, {"authorization": f"Bearer {key}", "content-type": "application/json"}
        )

        def ask() -> None:
            with pytest.raises(OSError, match=r"."):
                urllib.request.urlopen(request, timeout=30)

        call = threading.Thread(target=ask)
        call.start()
        upstream.wait_for_calls(1)
        server.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(timeout=1)  # the call in flight gets its time
        server.terminate()
        assert server.wait(timeout=5) == 128 + signal.SIGTERM
        call.join(30)


def test_a_running_server_takes_a_changed_file(noria: Noria, tmp_path: Path) -> None:
    assert "No server runs" in refused(noria, "reload")
    file = tmp_path / "noria.toml"
    file.write_text('[aliases]\nold = "openai/m"\n')
    with noria.start("up", "--port", "0", environ={"NORIA_CONFIG": str(file)}) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[4]
        key = (noria.folder / "admin.key").read_text().strip()

        def listed() -> str:
            asked = urllib.request.Request(f"{url}/v1/models", headers={"authorization": f"Bearer {key}"})
            with urllib.request.urlopen(asked) as answer:
                return str(answer.read())

        assert "old" in listed()
        file.write_text('keep_free_mb = 300\n[aliases]\nnew = "openai/m"\n')
        said = ok(noria, "reload")
        assert "In force now: aliases." in said
        assert "From the next start on: keep_free_mb." in said
        file.write_text("[aliases")
        assert "stays in force" in refused(noria, "reload")
        file.write_text('[aliases]\nnew = "openai/m"\n[providers.lab]\nbase_ur = "http://127.0.0.1:1/v1"\n')
        noria.environ["NORIA_CONFIG"] = str(file)  # the command line's own, too
        said = refused(noria, "reload")
        assert f"{file}, line 4: providers.lab.base_ur: Object contains unknown field `base_ur`." in said
        assert said.count("line 4") == 1
        assert "The configuration before it stays in force." in said
        listing = noria.here("keys", "list")
        assert (listing.exit_code, "No keys" in listing.stdout) == (0, True)
        assert "line 4" in listing.stderr
        assert "The running server does not mind." in listing.stderr
        server.send_signal(signal.SIGHUP)  # the same, and the server lives on
        file.write_text('[aliases]\nnewer = "openai/m"\n')
        server.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while "newer" not in listed():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.terminate()
        assert server.wait(timeout=30) == 0
    file.write_text("[aliases")
    assert "is not valid TOML" in refused(noria, "keys", "list"), "where no server runs, the file is needed"


def test_what_an_evaluation_tried_for_an_app_can_be_promoted_by_its_name(noria: Noria, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project", variants=("plain", "short"), app="triage")
    ok(noria, "eval", file)
    tried = noria.json("experiments", "list")[0]["spec"]["variants"]
    app = noria.json("apps", "list")[0]
    assert app["release"] is None  # callers get nothing new before somebody promotes
    assert [named["name"] for named in app["variants"]] == ["plain", "short"]
    assert [named["variant"] for named in app["variants"]] == [entry["variant"] for entry in tried]
    assert "triage now serves short." in ok(noria, "promote", "triage", "short")


def test_a_misspelt_parameter_is_refused(noria: Noria) -> None:
    ok(noria, "apps", "create", "triage")
    said = refused(noria, "apps", "add", "triage", "a", "--model", "fake/m", "--params", '{"temprature": 0}')
    assert "temprature" in said


def test_checking_a_file_makes_no_data_folder(noria: Noria, tmp_path: Path) -> None:
    file = write_project(tmp_path / "project")
    elsewhere = tmp_path / "elsewhere"
    assert noria.here("eval", file, "--check", "--data", elsewhere).exit_code == 0
    assert not elsewhere.exists()
