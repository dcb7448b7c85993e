"""shmredis/worker/post.py: questions and answers of two workers, whose mail is delivered by hand."""

import asyncio

from shmredis.engine import Engine
from shmredis.worker.post import Post
from tests.workers.fleet import Fleet, new_fleet


def post_of(fleet: Fleet, worker: int) -> Post:
    return Post(Engine(fleet.engines[worker]), worker, fleet.n)


def deliver(fleet: Fleet, *posts: Post) -> None:
    for post in posts:
        fleet.settle()
        post.deliver()


async def ask(fleet: Fleet) -> bytes:
    """What a worker is told that was brought back while its predecessor's question was open."""
    first, other = post_of(fleet, 0), post_of(fleet, 1)
    other.handle("say", lambda word: word)
    lost = asyncio.ensure_future(first.ask_all("say", b"old"))
    fleet.settle()
    fleet.kill(0)
    fleet.revive(0)
    successor = post_of(fleet, 0)
    answer = successor.ask_all("say", b"new")
    deliver(fleet, other, successor)
    (said,) = await answer
    lost.cancel()
    return said


def test_an_answer_to_a_predecessor_is_no_answer() -> None:
    with new_fleet(2) as fleet:
        fleet.settle()
        assert asyncio.run(ask(fleet)) == b"new"
