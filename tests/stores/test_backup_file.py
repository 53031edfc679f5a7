"""The backup's archive: what is written comes back, and whatever else comes is refused with a sentence."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.core.backups import FORMAT, Manifest
from noria.core.errors import InvalidInput
from noria.stores.backup_file import MANIFEST, BackupReader, BackupWriter

EMPTY = Manifest(format=FORMAT, id="backup_1", noria="1", created_ns=1, revision="0002")
names = st.lists(st.from_regex(r"(spans|blobs)/[a-z0-9]{1,80}", fullmatch=True), unique=True, max_size=4)
in_one_folder = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def archive(files: dict[str, bytes]) -> bytes:
    writer = BackupWriter(1.0)
    made = b""
    for number, (name, content) in enumerate(files.items()):
        if number % 2:
            made += writer.whole(name, content)
        else:
            made += b"".join(writer.pieces(name, len(content), io.BytesIO(content).read))
    return made + writer.end(EMPTY)


@in_one_folder
@given(st.data())
def test_what_was_written_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    files = {name: data.draw(st.binary(max_size=1500)) for name in data.draw(names)}
    (tmp_path / "b.tar").write_bytes(archive(files))
    with BackupReader.open(tmp_path / "b.tar") as backup:
        assert {name: backup.file(name).read() for name in backup.manifest.files} == files
        assert backup.names("spans") == sorted(name for name in files if name.startswith("spans/"))


def test_any_tar_program_reads_it(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(archive({"spans/1": b"one", "blobs/2": b""}))
    with tarfile.open(tmp_path / "b.tar") as opened:
        assert opened.getnames() == ["spans/1", "blobs/2", MANIFEST]


@in_one_folder
@given(st.data())
def test_what_was_changed_is_refused_or_still_the_same(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes that belong to no file, such as padding, may change; contents never do unseen."""
    files = {"spans/1": b"x" * 700, "blobs/2": b"y" * 20}
    content = bytearray(archive(files))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "b.tar").write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        with BackupReader.open(tmp_path / "b.tar") as backup:
            assert {name: backup.file(name).read() for name in backup.manifest.files} == files
    except InvalidInput as error:
        assert "no backup that can be trusted" in str(error)


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    whole = archive({"spans/1": b"one"})
    (tmp_path / "b.tar").write_bytes(whole.replace(b'{"format"', b'{"\xe2ormat"'))
    with pytest.raises(InvalidInput, match="its manifest can't be read"):
        BackupReader.open(tmp_path / "b.tar")


@in_one_folder
@given(st.binary(max_size=3000))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    with pytest.raises(InvalidInput, match="no backup that can be trusted"):
        BackupReader.open(tmp_path / "b.tar")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_no_files(tmp_path: Path, kind: bytes) -> None:
    whole = archive({"spans/1": b"one"})
    odd = tarfile.TarInfo("blobs/odd")
    odd.type, odd.linkname = kind, "/etc/passwd"
    (tmp_path / "b.tar").write_bytes(odd.tobuf() + whole)
    with BackupReader.open(tmp_path / "b.tar") as backup:
        assert backup.names("blobs") == []


def test_a_file_that_nobody_promised_is_refused(tmp_path: Path) -> None:
    extra = BackupWriter(1.0).whole("blobs/extra", b"?")
    (tmp_path / "b.tar").write_bytes(extra + archive({"spans/1": b"one"}))
    with pytest.raises(InvalidInput, match="blobs/extra, which its manifest does not name"):
        BackupReader.open(tmp_path / "b.tar")


def test_a_file_with_holes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("spans/000001.jsonl.gz")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 50)}
    (tmp_path / "b.tar").write_bytes(info.tobuf(tarfile.PAX_FORMAT) + archive({}))
    with pytest.raises(InvalidInput, match="has holes"):
        BackupReader.open(tmp_path / "b.tar")
