"""What is refused again within a minute is one entry; the entries of workers become one log."""

from shmredis.acl.log import ALIKE_NS, TEXT_MAX, AclLog, Entry, gather

SECOND = 1_000_000_000


def entry(thing: bytes = b"k", user: str = "u", reason: str = "key") -> Entry:
    return Entry(reason, "toplevel", thing, user)


def summary(entries: list[Entry]) -> list[tuple[bytes, int, int]]:
    return [(e.object, e.count, e.id) for e in entries]


def test_alike_refusals_within_a_minute_are_one() -> None:
    log = AclLog(lambda: 10)
    log.add(entry(), 0)
    log.add(entry(b"other"), SECOND)
    log.add(entry(), ALIKE_NS)
    assert summary(log.entries) == [(b"k", 2, 0), (b"other", 1, 1)]
    assert (log.entries[0].created_ns, log.entries[0].updated_ns) == (0, ALIKE_NS)
    log.add(entry(), 2 * ALIKE_NS)  # counts from the last one
    assert summary(log.entries)[0] == (b"k", 3, 0)
    log.add(entry(), 3 * ALIKE_NS + 1)
    assert summary(log.entries) == [(b"k", 1, 2), (b"k", 3, 0), (b"other", 1, 1)]


def test_another_reason_context_or_user_is_another_entry() -> None:
    log = AclLog(lambda: 10)
    for one in (
        entry(),
        entry(user="v"),
        entry(reason="channel"),
        Entry("key", "multi", b"k", "u"),
    ):
        log.add(one, 0)
    assert [e.count for e in log.entries] == [1, 1, 1, 1]


def test_it_keeps_no_more_than_it_may_and_no_long_texts() -> None:
    limit = 3
    log = AclLog(lambda: limit)
    for i in range(5):
        log.add(entry(b"%d" % i), i)
    assert [e.object for e in log.entries] == [b"4", b"3", b"2"]
    limit = 1
    log.add(entry(b"x" * 10 * TEXT_MAX), 9)
    assert [len(e.object) for e in log.entries] == [TEXT_MAX]
    limit = 0
    log.add(entry(), 10)
    assert log.entries == []


def test_logs_of_workers_become_one() -> None:
    first, second = AclLog(lambda: 10, 0, 2), AclLog(lambda: 10, 1, 2)
    first.add(entry(), 0)
    second.add(entry(b"mine"), SECOND)
    second.add(entry(), 2 * SECOND)
    first.add(entry(b"last"), 3 * SECOND)
    second.add(entry(b"old"), 4 * SECOND)
    first.add(entry(b"old"), 4 * SECOND + 2 * ALIKE_NS)
    whole = gather([first.entries, second.entries])
    assert [(e.object, e.count) for e in whole] == [
        (b"old", 1),
        (b"old", 1),
        (b"last", 1),
        (b"k", 2),
        (b"mine", 1),
    ]
    assert len({e.id for e in first.entries + second.entries}) == 6
    assert whole[3].created_ns == 0
    assert whole[3].updated_ns == 2 * SECOND
