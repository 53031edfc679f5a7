"""What only an object store gets wrong: buckets, keys, and a server that is not there."""

from __future__ import annotations

import io
import os
from pathlib import Path

import boto3
import pytest
from s3fs import S3FileSystem

from noria.core.errors import InvalidInput, Unavailable
from noria.stores.blobs import open_blobs


def objects(bucket: str) -> list[str]:
    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_blob_is_one_object_under_the_prefix(s3_bucket: str, tmp_path: Path) -> None:
    sha256 = open_blobs(f"s3://{s3_bucket}/noria/blobs", cache=tmp_path).put(b"hello")
    assert objects(s3_bucket) == [f"noria/blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"]


def test_a_large_blob_goes_in_parts_and_comes_back_on_another_machine(s3_bucket: str, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 60  # more than one part of s3fs
    sha256 = open_blobs(f"s3://{s3_bucket}", cache=tmp_path / "one").put(io.BytesIO(content))
    assert Path(open_blobs(f"s3://{s3_bucket}", cache=tmp_path / "two").path(sha256)).read_bytes() == content


def test_a_misspelt_bucket_is_refused_not_made(s3_bucket: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"no bucket 'not-{s3_bucket}'"):
        open_blobs(f"s3://not-{s3_bucket}/blobs", cache=tmp_path)
    assert f"not-{s3_bucket}" not in {item["Name"] for item in boto3.client("s3").list_buckets()["Buckets"]}


def test_a_bucket_that_goes_is_a_sentence(s3_bucket: str, tmp_path: Path) -> None:
    blobs = open_blobs(f"s3://{s3_bucket}/blobs", cache=tmp_path)
    boto3.client("s3").delete_bucket(Bucket=s3_bucket)
    with pytest.raises(InvalidInput, match="no bucket"):
        blobs.put(b"hello")


def test_missing_credentials_are_a_sentence(s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    S3FileSystem.clear_instance_cache()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with pytest.raises(InvalidInput, match="no credentials for the blob store"):
        open_blobs(f"s3://{s3_bucket}/none", cache=tmp_path)


def test_a_server_that_is_not_there_is_a_sentence(
    s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Unavailable, match="does not answer"):
        open_blobs(f"s3://{s3_bucket}/blobs", cache=tmp_path)
