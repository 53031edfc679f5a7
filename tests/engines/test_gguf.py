import io
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.engines.gguf import GGUFHeader, parse_header, read_header

from .gguf_files import LLAMA, gguf, text


def parse(data: bytes) -> GGUFHeader:
    return parse_header(io.BytesIO(data), len(data))


@pytest.mark.parametrize("version", [2, 3])
def test_what_a_whole_file_says(version):
    data = gguf(version=version)
    assert parse(data) == GGUFHeader(
        version=version,
        size=len(data),
        architecture="llama",
        name="Tiny",
        licence="apache-2.0",
        quantisation="Q4_1",
        parameters=8,
        context_length=2048,
        layers=4,
        embedding=64,
        heads=8,
        kv_heads=(2, 2, 2, 2),
        key_length=8,
        value_length=8,
        chat_template="{{ messages }}",
    )


@pytest.mark.parametrize(("number", "meaning"), [(0, ""), (1, "mean"), (4, "rank"), (99, "")])
def test_weights_for_embeddings_and_rerankers_say_so(number, meaning):
    assert parse(gguf({**LLAMA, "llama.pooling_type": ("u32", number)})).pooling == meaning


def test_heads_may_differ_by_layer():
    header = parse(gguf({**LLAMA, "llama.attention.head_count_kv": [4, 0, 2, 2]}))
    assert header.kv_heads == (4, 0, 2, 2)


def test_without_grouped_attention_every_head_has_its_keys():
    plain = {key: item for key, item in LLAMA.items() if not key.endswith("_kv")}
    assert parse(gguf(plain)).kv_heads == (8, 8, 8, 8)


def test_values_of_the_wrong_type_count_as_absent():
    header = parse(gguf({**LLAMA, "general.name": ("u32", 1), "llama.block_count": ("bool", True)}))
    assert (header.name, header.layers, header.kv_heads) == ("", None, ())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a GGUF file"),
        (b"PK\x03\x04", "not a GGUF file"),
        (b"GGUF\x03\x00", "cut off"),
        (b"GGUF" + struct.pack("<I", 1), "GGUF of version 1"),
        (b"GGUF" + struct.pack(">I", 3), "big-endian"),
        (gguf()[:-1], "1 of .* bytes are missing"),
        (gguf(data=b""), "32 of .* bytes are missing"),
        (gguf({**LLAMA, "general.alignment": ("u32", 0)}), "alignment 0"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "claims .* tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "claims .* metadata entries"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 62) + b"k" * 40, "a text of"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 99) + bytes(20), "type 99"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 1 << 50) + bytes(40),
            "cut off",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 4, 1 << 62) + bytes(40),
            "cut off",
        ),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IQ", 8, 2) + b"\xff\xff\x00", "UTF-8"),
        (
            b"GGUF"
            + struct.pack("<IQQ", 3, 0, 1)
            + text("k")
            + struct.pack("<I", 9)
            + struct.pack("<IQ", 9, 1) * 9
            + bytes(99),
            "4 deep",
        ),
    ],
)
def test_what_is_wrong_is_said(data, message):
    with pytest.raises(InvalidInput, match=message):
        parse(data)


def test_too_many_dimensions_and_numbers():
    table = struct.pack("<IQQ", 3, 1, 0) + text("w")
    with pytest.raises(InvalidInput, match="9 dimensions"):
        parse(b"GGUF" + table + struct.pack("<I", 9) + bytes(99))
    with pytest.raises(InvalidInput, match="its tensors claim"):
        parse(b"GGUF" + table + struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 99, 0) + bytes(99))


@pytest.mark.untraced
def test_a_file_of_endless_empty_texts_is_refused_soon():
    count = 2_100_000
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, count)
    with pytest.raises(InvalidInput, match="more than"):
        parse(head + bytes(8 * count))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInput, match="No such file"):
        read_header(tmp_path / "none.gguf")


def test_a_file_that_shrinks_while_it_is_read():
    data = gguf()
    with pytest.raises(InvalidInput, match="cut off"):
        parse_header(io.BytesIO(data[:60]), len(data))


def survives(data: bytes) -> None:
    try:
        header = parse(data)
    except InvalidInput:
        return
    assert header.size == len(data)


@given(st.binary(max_size=400))
def test_any_bytes_after_the_magic_give_a_header_or_a_sentence(tail):
    survives(b"GGUF\x03\x00\x00\x00" + tail)


@given(st.integers(0, len(gguf()) - 1), st.binary(min_size=1, max_size=8))
@example(8, b"\xff" * 8)
def test_any_damage_gives_a_header_or_a_sentence(place, damage):
    data = bytearray(gguf())
    data[place : place + len(damage)] = damage
    survives(bytes(data))


@given(st.integers(0, len(gguf()) - 1))
def test_any_cut_is_noticed(length):
    with pytest.raises(InvalidInput):
        parse(gguf()[:length])
