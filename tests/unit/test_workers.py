"""One worker per resource."""

import asyncio

from shadow_operator.controller.workers import Key, Workers

KEY = ("default", "hal9")


class Reconciler:
    """Records calls; answers what the test wants."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers = list(answers)
        self.calls: list[Key] = []
        self.running = 0
        self.overlapped = False
        self.called = asyncio.Condition()

    async def __call__(self, key: Key) -> float | None:
        self.overlapped |= self.running > 0
        self.running += 1
        await asyncio.sleep(0)
        self.running -= 1
        answer = self.answers.pop(0) if self.answers else 3600.0
        async with self.called:
            self.calls.append(key)
            self.called.notify_all()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def wait_for_calls(self, count: int) -> None:
        async with asyncio.timeout(10), self.called:
            await self.called.wait_for(lambda: len(self.calls) >= count)


async def test_an_event_wakes_the_worker_before_its_time() -> None:
    reconcile = Reconciler()
    workers = Workers(reconcile)
    workers.ensure(KEY)
    await reconcile.wait_for_calls(1)
    workers.wake(KEY)
    await reconcile.wait_for_calls(2)
    await workers.close()
    assert not reconcile.overlapped


async def test_a_worker_comes_back_by_itself_when_its_time_has_come() -> None:
    reconcile = Reconciler(0.01)
    workers = Workers(reconcile)
    workers.ensure(KEY)
    await reconcile.wait_for_calls(2)
    await workers.close()


async def test_a_resource_that_is_gone_loses_its_worker() -> None:
    reconcile = Reconciler(None)
    workers = Workers(reconcile)
    workers.ensure(KEY)
    await reconcile.wait_for_calls(1)
    await asyncio.wait_for(asyncio.gather(*workers._tasks.values()), 10)
    assert KEY not in workers


async def test_a_successor_of_the_same_name_is_not_overlooked() -> None:
    """It is created while the reconcile of its predecessor finds that one gone."""
    reconcile = Reconciler(None)
    workers = Workers(reconcile)
    workers.ensure(KEY)
    await asyncio.sleep(0)  # the worker is in its reconcile now
    assert reconcile.running == 1
    workers.ensure(KEY)
    await reconcile.wait_for_calls(2)
    assert KEY in workers
    await workers.close()


async def test_a_failure_is_retried_and_stops_nobody_else() -> None:
    reconcile = Reconciler(RuntimeError("poisoned"))
    workers = Workers(reconcile, limit=1)
    workers.ensure(KEY)
    workers.ensure(("default", "other"))
    await reconcile.wait_for_calls(2)
    workers.wake(KEY)
    await reconcile.wait_for_calls(3)
    await workers.close()
    assert set(reconcile.calls) == {KEY, ("default", "other")}


async def test_a_namespace_wakes_only_its_own() -> None:
    reconcile = Reconciler()
    workers = Workers(reconcile)
    workers.ensure(("a", "x"))
    workers.ensure(("b", "x"))
    await reconcile.wait_for_calls(2)
    workers.wake_namespace("a")
    await reconcile.wait_for_calls(3)
    await workers.close()
    assert reconcile.calls[2] == ("a", "x")
