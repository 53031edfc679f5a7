from noria.engines.log import EngineLog


def test_a_big_log_keeps_its_newer_whole_lines(tmp_path):
    log = EngineLog(tmp_path / "logs" / "e.log", limit=1_000)
    with log.open() as file:
        for number in range(200):
            file.write(b"line %d\n" % number)
        log.trim()
        file.write(b"the process goes on writing\n")
    lines = log.path.read_text().splitlines()
    assert lines[-2:] == ["line 199", "the process goes on writing"]
    assert lines[0].startswith("line ")
    assert log.path.stat().st_size < 600


def test_a_small_log_is_kept_over_starts(tmp_path):
    log = EngineLog(tmp_path / "e.log")
    for word in (b"first\n", b"second\n"):
        with log.open() as file:
            file.write(word)
    assert log.path.read_bytes() == b"first\nsecond\n"


def test_last_lines_of_hostile_bytes(tmp_path):
    log = EngineLog(tmp_path / "e.log")
    assert log.last_lines() == ""
    log.path.write_bytes(b"a\n\n\xff\xfe\n" + b"x" * 5_000 + b"\n")
    assert log.last_lines(2).startswith("�� | xxx")
    assert len(log.last_lines()) < 300
