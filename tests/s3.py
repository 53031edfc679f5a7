"""An S3 server for the tests: moto's, a process of its own on a free port."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_PROGRAM = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""
KEYS = {"AWS_ACCESS_KEY_ID": "noria", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint's URL; the server ends with the block."""
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def environment(endpoint: str) -> dict[str, str]:
    """What the AWS variables must be to work with it, and nothing of the machine's own."""
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, **KEYS}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


def make_bucket() -> str:
    """A bucket's name. The environment must be the server's."""
    import boto3  # noqa: PLC0415  # tests without it need not wait for it

    name = f"noria-{secrets.token_hex(6)}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, with the environment to reach it."""
    from s3fs import S3FileSystem  # noqa: PLC0415  # see above

    S3FileSystem.clear_instance_cache()  # it remembers how it was reached before
    for name, value in environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    return make_bucket()
