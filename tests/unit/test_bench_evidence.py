"""What a resource writes in an interval stays what the docs say."""

from bench.evidence import day

LARGEST = 32 * 1024


def test_each_object_is_written_once_in_an_interval_and_stays_small() -> None:
    for name, writes in day(20).items():
        assert 19 <= len(writes.sizes) <= 20, name
        assert max(writes.sizes) < LARGEST, name
