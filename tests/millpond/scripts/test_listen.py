"""listen: reads jobs and, while they are open, notes where their end or their moves are to be told."""

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond
from tests.until import until


def test_it_answers_the_hash_and_whether_the_job_is_open(pond: Pond) -> None:
    (id,) = pond.submit()
    is_open, hash = pond.run(moves.listen(id))
    assert is_open
    assert {name: value.decode() for name, value in hash.items()} == pond.job(id)
    assert pond.run(moves.listen("none")) == (False, {})


def test_reading_changes_nothing(pond: Pond) -> None:
    (id,) = pond.submit()
    before = pond.dump()
    pond.run(moves.listen(id))
    assert pond.dump() == before


def test_channels_are_noted_once_each(pond: Pond) -> None:
    (id,) = pond.submit()
    for channel in ("mp:ended:a", "mp:ended:ab", "mp:ended:a", "mp:ended:b"):
        pond.run(moves.listen(id, channel))
    assert pond.job(id)["waiters"] == "mp:ended:a mp:ended:ab mp:ended:b"
    assert pond.version(id) == 1


def test_an_ended_job_notes_nobody(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.run(moves.cancel(id))
    pond.run(moves.listen(id, "mp:ended:a"))
    assert "waiters" not in pond.job(id)


def test_recorded_and_not_forgotten_is_not_open(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.run(moves.cancel(id))
    pond.run(moves.recorded([moves.Committed(id, 2)]))
    is_open, hash = pond.run(moves.listen(id))
    assert not is_open
    assert hash["state"] == b"canceled"


def test_deleted_and_not_recorded_is_open_without_a_hash(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.job(id))
    assert pond.run(moves.listen(id)) == (True, {})
    pond.ask("SET", keys.job(id), "x")
    assert pond.run(moves.listen(id, "mp:ended:a")) == (True, {})


def test_many_are_read_in_one_call(pond: Pond) -> None:
    ended, watched, awaited = pond.submit(3)
    pond.run(moves.cancel(ended))
    items: list[tuple[str, moves.Told]] = [(watched, "watchers"), (ended, "watchers"), ("none", "waiters"), (awaited, "waiters")]
    answers = pond.run(moves.listen_all(items, "mp:told:a"))
    assert [(is_open, hash.get("state")) for is_open, hash in answers] == [
        (True, b"queued"),
        (True, b"canceled"),
        (False, None),
        (True, b"queued"),
    ]
    assert pond.job(watched)["watchers"] == pond.job(awaited)["waiters"] == "mp:told:a"
    assert not {"watchers", "waiters"} & set(pond.job(ended))


def test_watchers_are_told_of_each_move_that_shows_and_waiters_of_the_end(pond: Pond) -> None:
    (id,) = pond.submit(fields={"max_attempts": 2})
    pond.run(moves.listen_all([(id, "watchers")], "mp:told:watches"))
    pond.run(moves.listen_all([(id, "waiters")], "mp:told:waits"))
    listener = pond.client.pubsub(ignore_subscribe_messages=True)
    listener.psubscribe("mp:told:*")
    until(lambda: pond.client.pubsub_numpat() == 1, 5)
    child = pond.hire()

    def told() -> list[str]:
        """Until now: what is published here comes after all that was."""
        pond.client.publish("mp:told:-", "")
        heard: list[str] = []
        while (channel := until(listener.get_message, 5)["channel"].decode().removeprefix("mp:told:")) != "-":
            heard.append(channel)
        return heard

    (job,) = child.claim()
    assert told() == []  # its start comes at once
    child.start(job)
    assert told() == ["watches"]
    pond.run(moves.report([moves.Report(job.id, job.execution, b"0.5")]))
    assert told() == ["watches"]
    child.end(job, "failed", retry_ms=0)
    assert told() == ["watches"]
    pond.run(moves.promote())
    assert told() == ["watches"]
    (job,) = child.work()
    child.hand_back("items", jobs=[job])
    assert told() == ["watches", "watches"]
    (job,) = child.work()
    child.end(job)
    assert sorted(told()) == ["waits", "watches", "watches"]
    assert not {"watchers", "waiters"} & set(pond.job(id))
    listener.close()
