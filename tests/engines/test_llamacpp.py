from pathlib import Path

import httpx
import pytest

from noria.core.errors import EngineFailed, InvalidInput
from noria.core.models import EngineOptions
from noria.engines.llamacpp import LlamaCpp
from noria.engines.process import CannotRun
from noria.engines.restarts import RestartPolicy

from .contract import EngineContract, answer
from .gguf_files import LLAMA, gguf

QUICK = RestartPolicy(first_delay_s=0.01, grace_s=2.0)
SMALL = EngineOptions(context=2048, slots=2, threads=1)


def engine_for(weights: Path, folder: Path, options: EngineOptions = SMALL, model: str = "smol") -> LlamaCpp:
    return LlamaCpp(weights, model=model, options=options, log_folder=folder, policy=QUICK)


@pytest.mark.model
class TestContract(EngineContract):
    @pytest.fixture
    async def engine(self, smollm2, tmp_path):
        engine = engine_for(smollm2, tmp_path)
        yield engine
        await engine.stop()

    @pytest.fixture
    async def other(self, smollm2, tmp_path):
        engine = engine_for(smollm2, tmp_path, model="other")
        yield engine
        await engine.stop()

    @pytest.fixture
    def program(self, smollm2, tmp_path):
        return f"""
            from pathlib import Path
            from noria.core.models import EngineOptions
            from noria.engines.llamacpp import LlamaCpp
            def make():
                options = EngineOptions(context=512, slots=1)
                return LlamaCpp(Path({str(smollm2)!r}), model="m", options=options, log_folder=Path({str(tmp_path)!r}))
        """


@pytest.mark.model
async def test_a_quantised_cache_takes_less_memory_and_still_answers(smollm2, tmp_path):
    peaks = {}
    for kind in ("f16", "q8_0"):
        engine = engine_for(smollm2, tmp_path, EngineOptions(context=8192, slots=2, kv_cache=kind))
        assert await answer(await engine.start(), "What is two plus two?", max_tokens=8, temperature=0)
        peaks[kind] = engine.status().peak_rss_bytes
        await engine.stop()
        assert engine.status().peak_rss_bytes >= peaks[kind], "the peak is remembered after the stop"
    assert peaks["f16"] - peaks["q8_0"] > 100_000_000


@pytest.mark.model
async def test_pooling_gives_vectors_and_the_engine_still_answers(smollm2, tmp_path):
    engine = engine_for(smollm2, tmp_path, EngineOptions(context=2048, slots=1, pooling="mean"))
    endpoint = await engine.start()
    texts = ["how old is the king", "what is the age of the king", "word " * 600]
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    async with httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, timeout=60) as client:
        reply = await client.post(endpoint.base_url + "/embeddings", json={"model": "smol", "input": texts})
        data = reply.json()["data"]
        assert [len(each["embedding"]) for each in data] == [576] * 3
        refused = await client.post(endpoint.base_url + "/rerank", json={"query": "a", "documents": ["b"]})
        assert refused.status_code == 501
    assert await answer(endpoint, "What is two plus two?", max_tokens=4, temperature=0)
    await engine.stop()


@pytest.mark.model
async def test_a_context_beyond_the_training_is_warned_of(smollm2, tmp_path):
    engine = engine_for(smollm2, tmp_path, EngineOptions(context=9000, slots=1))
    await engine.start()
    assert "beyond the 8192" in engine.status().message
    await engine.stop()


@pytest.mark.model
async def test_what_llama_cpp_refuses_is_final_and_quoted(tmp_path):
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(gguf())
    engine = engine_for(weights, tmp_path)
    with pytest.raises(CannotRun, match=r"llama.cpp refused .*tiny.gguf.*Its log ends: .*failed to load model"):
        await engine.start()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "No such file"),
        (b"not weights", "not a GGUF file"),
        (gguf()[:-9], "cut off"),
        (gguf({**LLAMA, "general.type": "adapter"}), "holds no model, but adapter"),
        (gguf({**LLAMA, "split.count": ("u32", 3)}), "one of 3 parts"),
    ],
)
async def test_bad_weights_are_told_before_anything_starts(tmp_path, data, message):
    weights = tmp_path / "weights.gguf"
    if data is not None:
        weights.write_bytes(data)
    engine = engine_for(weights, tmp_path)
    with pytest.raises(InvalidInput, match=message):
        await engine.start()
    assert engine.status().state == "failed"
    assert engine.status().pid is None
    weights.write_bytes(gguf(data=b""))
    with pytest.raises(InvalidInput, match="32 of .* missing"):
        await engine.start()


async def test_a_hopeless_size_is_refused_with_numbers(tmp_path):
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(
        gguf({**LLAMA, "llama.block_count": ("u32", 4096), "llama.attention.key_length": ("u32", 1 << 20)})
    )
    with pytest.raises(CannotRun, match=r"needs about .* MB .* in all\. Use fewer slots"):
        await engine_for(weights, tmp_path).start()


@pytest.mark.parametrize(
    ("library", "message"),
    [
        (
            "raise ImportError('libgomp.so.1: cannot open shared object file')",
            "system library is missing .*libgomp.* apt install libgomp1",
        ),
        ("raise ImportError('wrong ELF class')", "does not fit this system .*wrong ELF class"),
        ("raise ModuleNotFoundError('No module named xllamacpp')", r"not installed\..* pip install 'noria\[local\]'"),
    ],
)
async def test_a_library_that_cannot_be_had_is_explained(tmp_path, monkeypatch, library, message):
    """A stand-in for the library, found first by the child."""
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(gguf())
    (tmp_path / "xllamacpp.py").write_text(library)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(CannotRun, match=message) as failure:
        await engine_for(weights, tmp_path).start()
    assert isinstance(failure.value, EngineFailed)
    assert not failure.value.retryable
