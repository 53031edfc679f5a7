from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.datasets import Case, dataset_id
from noria.core.errors import InvalidInput
from noria.evaluate.files.datasets import Source, decode_cases, encode_cases, read

REVIEWS = Source(path="reviews.csv", input={"text": "review"}, reference="label")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def refusal(source: Source, folder: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(source, folder)
    return str(caught.value)


def test_reads_rows_in_its_own_shape(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "input": {"question": "2+2?"},
        "reference": 4,
        "context": "sums",
        "cluster": "maths",
        "metadata": {"level": 1},
    }
    write(tmp_path, "own.jsonl", jsonl(row))
    [case] = read(Source(path="own.jsonl"), tmp_path).cases
    assert case == Case(
        id="7", input={"question": "2+2?"}, reference=4, context=("sums",), cluster="maths", metadata={"level": 1}
    )


def test_maps_columns_and_keeps_the_rest_as_metadata(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", 'review,label,doc,stars\n"good,\nreally",positive,d1,5\nbad,negative,d1,1\n')
    source = Source(path="reviews.csv", input={"text": "review"}, reference="label", cluster="doc")
    cases = read(source, tmp_path).cases
    assert [case.input for case in cases] == [{"text": "good,\nreally"}, {"text": "bad"}]
    assert [case.reference for case in cases] == ["positive", "negative"]
    assert {case.cluster for case in cases} == {"d1"}
    assert cases[0].metadata == {"stars": "5"}


def test_named_metadata_leaves_the_other_columns_out(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", "review,label,a,b\nx,y,1,2\n")
    source = Source(path="reviews.csv", input={"text": "review"}, metadata=("b",))
    assert read(source, tmp_path).cases[0].metadata == {"b": "2"}


def test_the_same_rows_are_the_same_data_set_in_every_format(tmp_path: Path) -> None:
    rows = [{"review": "good", "label": "p"}, {"review": 'ünïcode, "quoted"', "label": "n"}]
    write(tmp_path, "r.jsonl", jsonl(*rows))
    write(tmp_path, "r.csv", 'review,label\ngood,p\n"ünïcode, ""quoted""",n\n')
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT review, label FROM read_json('{tmp_path}/r.jsonl')) TO '{tmp_path}/r.parquet' (FORMAT parquet)"
        )
    ids = set()
    for name in ("r.jsonl", "r.csv", "r.parquet"):
        source = Source(path=name, input={"text": "review"}, reference="label")
        ids.add(dataset_id(read(source, tmp_path).cases))
    assert len(ids) == 1


def test_parquet_values_become_json_values(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'q' AS q, DATE '2026-01-02' AS day, 1.5::DECIMAL(4,2) AS price, [1, 2] AS list, "
            f"{{'a': true}} AS object, NULL AS nothing) TO '{tmp_path}/odd[1].parquet' (FORMAT parquet)"
        )
    [case] = read(Source(path="odd[1].parquet", input={"q": "q"}), tmp_path).cases
    assert case.metadata == {
        "day": "2026-01-02",
        "price": 1.5,
        "list": [1, 2],
        "object": {"a": True},
        "nothing": None,
    }


def test_parquet_rows_that_json_cannot_hold_are_named(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * FROM (VALUES (1.0), ('nan'::DOUBLE), (2.0)) t(x)) "
            f"TO '{tmp_path}/n.parquet' (FORMAT parquet)"
        )
    loaded = read(Source(path="n.parquet", input={"x": "x"}, on_error="skip"), tmp_path)
    assert [case.input["x"] for case in loaded.cases] == [1.0, 2.0]
    assert "n.parquet row 2: nan is no number in JSON" in loaded.problems[0].message


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "x.parquet", "not parquet at all")
    assert "x.parquet cannot be read as Parquet" in refusal(Source(path="x.parquet", input={"x": "x"}), tmp_path)


def test_a_missing_column_names_file_column_and_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", "reviews,label\ngood,p\n")
    sentence = refusal(REVIEWS, tmp_path)
    assert 'reviews.csv line 2: no column "review"; there are "reviews", "label". Did you mean "reviews"?' in sentence


def test_a_malformed_json_row_names_line_and_column(tmp_path: Path) -> None:
    write(tmp_path, "x.jsonl", '{"q": 1}\n\n{"q": 2,, }\n')
    assert "x.jsonl line 3, column 9: this is not JSON" in refusal(Source(path="x.jsonl", input={"q": "q"}), tmp_path)


@pytest.mark.parametrize(
    "line",
    ["[1]", '{"q": NaN}', '{"q": 1e999}', "[" * 50_000, '{"q": ' + "[" * 101 + "]" * 101 + "}", '{"q": "\\ud800"}'],
)
def test_lines_that_are_no_json_object_are_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, "x.jsonl", '{"q": 1}\n' + line + "\n")
    assert "x.jsonl line 2" in refusal(Source(path="x.jsonl", input={"q": "q"}), tmp_path)


def test_many_brackets_are_not_many_levels(tmp_path: Path) -> None:
    rows = [{"q": [[]] * 200}, {"q": '\\"' + "[" * 500}]
    write(tmp_path, "x.jsonl", jsonl(*rows))
    cases = read(Source(path="x.jsonl", input={"q": "q"}), tmp_path).cases
    assert [case.input for case in cases] == rows


def test_skip_goes_on_with_the_rest_and_reports_every_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        "x.jsonl",
        '{"id": 1, "q": "a"}\nnonsense\n{"id": 1, "q": "b"}\n{"id": null, "q": "c"}\n{"id": 2, "q": "d"}\n',
    )
    loaded = read(Source(path="x.jsonl", input={"q": "q"}, id="id", on_error="skip"), tmp_path)
    assert [case.id for case in loaded.cases] == ["1", "2"]
    assert [problem.line for problem in loaded.problems] == [2, 3, 4]


def test_ragged_csv_rows_are_named(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", 'review,label\n"two\nlines",p\ngood,p,extra\nshort\nfine,n\n')
    assert "reviews.csv line 4: 3 values, but the header names 2 columns." in refusal(REVIEWS, tmp_path)
    skipping = Source(path="reviews.csv", input={"text": "review"}, reference="label", on_error="skip")
    loaded = read(skipping, tmp_path)
    assert [problem.line for problem in loaded.problems] == [4, 5]
    assert [case.input["text"] for case in loaded.cases] == ["two\nlines", "fine"]


def test_an_unclosed_quote_names_the_line_it_began_on(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", 'review,label\ngood,p\n"never closed,n\nmore,p\n')
    assert "reviews.csv line 3: this is not CSV" in refusal(REVIEWS, tmp_path)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_wrong_encoding_names_the_byte_offset(tmp_path: Path, bom: bytes) -> None:
    content = bom + "review,label\nschön,p\n".encode() + "wüst,n\n".encode("latin-1")
    write(tmp_path, "reviews.csv", content)
    offset = content.index(b"\xfc")
    assert f"reviews.csv line 3: byte 0xfc at offset {offset} of the file" in refusal(REVIEWS, tmp_path)
    content = bom + b'{"q": "a"}\n{"q": "\xfc"}\n'
    write(tmp_path, "x.jsonl", content)
    sentence = refusal(Source(path="x.jsonl", input={"q": "q"}), tmp_path)
    assert f"x.jsonl line 2: byte 0xfc at offset {content.index(0xFC)} of the file" in sentence


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", b"\xef\xbb\xbfreview,label\ngood,p\n")
    assert read(REVIEWS, tmp_path).cases[0].input == {"text": "good"}
    write(tmp_path, "x.jsonl", b'\xef\xbb\xbf{"q": "a"}\n')
    assert read(Source(path="x.jsonl", input={"q": "q"}), tmp_path).cases[0].input == {"q": "a"}


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.jsonl"])
def test_utf16_is_recognised(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "review,label\n".encode("utf-16"))
    assert "UTF-16" in refusal(Source(path=name, input={"text": "review"}), tmp_path)


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    write(tmp_path, "x.jsonl", jsonl({"id": "a", "q": 1}, {"id": "b", "q": 2}, {"id": "a", "q": 3}))
    sentence = refusal(Source(path="x.jsonl", input={"q": "q"}, id="id"), tmp_path)
    assert 'x.jsonl line 3: the id "a" was used before, in line 1' in sentence


def test_equal_rows_without_ids_get_different_stable_ids(tmp_path: Path) -> None:
    write(tmp_path, "x.jsonl", jsonl({"q": 1}, {"q": 1}, {"q": 2}))
    source = Source(path="x.jsonl", input={"q": "q"})
    first, second, third = (case.id for case in read(source, tmp_path).cases)
    assert second == f"{first}-2"
    assert third not in {first, second}
    assert [case.id for case in read(source, tmp_path).cases] == [first, second, third]


@pytest.mark.parametrize("content", ["", "\n\n", "review,label\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    write(tmp_path, "reviews.csv", content)
    assert "has no cases: the file is empty" in refusal(REVIEWS, tmp_path)


def test_a_file_without_one_usable_row_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    write(tmp_path, "x.jsonl", "a\nb\n")
    sentence = refusal(Source(path="x.jsonl", input={"q": "q"}, on_error="skip"), tmp_path)
    assert "none of its 2 rows can be used; the first: x.jsonl line 1" in sentence


def test_files_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    for name in ("gone.csv", "gone.jsonl", "gone.parquet"):
        assert "No such file" in refusal(Source(path=name, input={"x": "x"}), tmp_path)
    assert "Give dataset.format" in refusal(Source(path="gone.txt", input={"x": "x"}), tmp_path)


def test_a_column_without_input_mapping_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "x.jsonl", jsonl({"input": {"q": 1}}))
    assert "dataset.reference names a column" in refusal(Source(path="x.jsonl", reference="label"), tmp_path)


def test_a_foreign_row_without_mapping_says_how_to_map_it(tmp_path: Path) -> None:
    write(tmp_path, "x.jsonl", jsonl({"question": "?"}))
    sentence = refusal(Source(path="x.jsonl"), tmp_path)
    assert 'the row has "question"' in sentence
    assert "dataset.input: {variable: column}" in sentence


@pytest.mark.parametrize("row", [{"id": 1.5}, {"id": ""}, {"context": 3}, {"cluster": [1]}])
def test_values_of_the_wrong_kind_are_refused(tmp_path: Path, row: dict[str, Any]) -> None:
    write(tmp_path, "x.jsonl", jsonl({"q": 1, "id": "a", "context": "c", "cluster": "d"} | row))
    source = Source(path="x.jsonl", input={"q": "q"}, id="id", context="context", cluster="cluster")
    assert "x.jsonl line 1: " in refusal(source, tmp_path)


def test_a_header_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", "review,review\na,b\n")
    assert 'names the column "review" twice' in refusal(REVIEWS, tmp_path)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CASES = st.lists(
    st.builds(
        Case,
        id=st.text(min_size=1),
        input=st.dictionaries(st.text(), VALUES, max_size=3),
        reference=VALUES,
        context=st.lists(st.text(), max_size=2).map(tuple),
        cluster=st.none() | st.text(),
        metadata=st.dictionaries(st.text(), VALUES, max_size=2),
    ),
    max_size=5,
)


@settings(max_examples=50)
@given(CASES)
def test_cases_survive_the_way_through_a_blob(cases: list[Case]) -> None:
    again = decode_cases(encode_cases(cases))
    assert again == cases
    assert dataset_id(again) == dataset_id(cases)


@given(st.binary(max_size=200), st.sampled_from(["x.jsonl", "x.csv"]))
def test_no_file_content_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    write(folder, name, data)
    try:
        loaded = read(Source(path=name, input={"x": "x"}, on_error="skip"), folder)
    except InvalidInput as error:
        assert name in str(error)
    else:
        assert loaded.cases
