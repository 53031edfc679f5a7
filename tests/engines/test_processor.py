from noria.engines.processor import lacks_avx2, missing_instructions, usable_cores


def test_avx2_is_read_from_the_flags():
    assert lacks_avx2("processor : 0\nflags\t\t: fpu sse4_2 avx avx2 fma\n") == ""
    assert lacks_avx2("processor : 0\nflags\t\t: fpu sse4_2 avx\n") == "AVX2"
    assert lacks_avx2("Features : asimd\n") == ""
    assert missing_instructions() in {"", "AVX2"}


def test_two_threads_of_one_core_count_once(tmp_path):
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    none = tmp_path / "none"
    assert usable_cores({0, 1, 2, 3}, topology=tmp_path, quota=none) == 2
    assert usable_cores({0, 2}, topology=tmp_path, quota=none) == 1
    assert usable_cores({0, 1, 2}, topology=none, quota=none) == 3


def test_a_containers_limit_counts(tmp_path):
    quota, none = tmp_path / "cpu.max", tmp_path / "none"
    for text, cores in [("max 100000", 8), ("150000 100000", 2), ("1000 100000", 1), ("nonsense", 8)]:
        quota.write_text(text)
        assert usable_cores(set(range(8)), topology=none, quota=quota) == cores


def test_here_there_is_a_core():
    assert usable_cores() >= 1
