"""Trouble with the database: a bounded wait, an honest error, and nothing half done."""

from __future__ import annotations

import asyncio
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from inference.core.errors import StoreUnavailableError
from inference.models import ResponseRow
from inference.response_store import thread
from metrics.models import RequestLog
from metrics.recorder.lines import encode_record
from mlxsite.databases import default_database as sqlite_settings
from tests.metrics.cast import (
    default_database,
    leave_spool,
    recording,
    started,
)
from tests.response_store.cast import Locked, conversation, response, said, storing

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_locked_database_is_waited_for_so_long(sqlite_file: Path) -> None:
    async with storing(patience_s=0.3) as store:
        await store.save(response("before"))
        lock = Locked(sqlite_file)
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            await store.save(response("a"))
        # Who only reads needs not wait.
        assert await store.response("resp_before", "key") is not None
        assert await store.response("resp_a", "key") is None
        lock.let_go()
        await store.save(response("a"))
        assert await store.response("resp_a", "key") is not None


async def test_what_is_wrong_is_told_to_the_operator_only(
    sqlite_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with storing(patience_s=0.3) as store:
        lock = Locked(sqlite_file)
        with pytest.raises(StoreUnavailableError) as refused:
            await store.save(response("a"))
        lock.let_go()
    assert "locked" in caplog.text
    assert "locked" not in refused.value.message


async def test_a_lock_that_goes_in_time_is_not_noticed(sqlite_file: Path) -> None:
    async with storing() as store:
        await store.save_conversation(conversation("a"))
        lock = Locked(sqlite_file)
        adding = asyncio.create_task(store.add_items("conv_a", "key", (said("one"),)))
        await asyncio.sleep(0)
        lock.let_go()
        assert await adding


def test_a_database_without_tables_is_one_that_does_not_answer(
    tmp_path: Path, sqlite_file: Path, migrated_file: Path
) -> None:
    other = tmp_path / "other.sqlite3"

    async def save_before_and_after_the_tables_are_there() -> None:
        async with storing(patience_s=0.3) as store:
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                await store.save(response("a"))
            shutil.copy(migrated_file, other)
            await store.save(response("a"))

    with default_database(**sqlite_settings(other)):
        asyncio.run(save_before_and_after_the_tables_are_there())


@pytest.mark.usefixtures("postgres")
async def test_it_connects_again_when_the_server_has_cut_its_connection() -> None:
    def cut() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connections["default"].close()

    async with storing() as store:
        await store.save(response("a"))
        await asyncio.to_thread(cut)
        assert await store.response("resp_a", "key") is not None
        await asyncio.to_thread(cut)
        await store.save(response("b"))


async def test_no_more_than_so_many_wait_for_it(
    sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "WAITING_MOST", 3)
    async with storing() as store:
        lock = Locked(sqlite_file)
        waiting = [asyncio.create_task(store.save(response(f"{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailableError, match="too much"):
            await store.save(response("more"))
        lock.let_go()
        await asyncio.gather(*waiting)


async def test_the_event_loop_goes_on_meanwhile(sqlite_file: Path) -> None:
    async with storing(patience_s=0.3) as store:
        lock = Locked(sqlite_file)
        saving = asyncio.create_task(store.save(response("a")))
        turns = 0
        while not saving.done():
            turns += 1
            await asyncio.sleep(0.001)
        lock.let_go()
        assert turns > 20
        assert isinstance(saving.exception(), StoreUnavailableError)


async def test_nothing_is_asked_of_a_store_that_has_stopped(database: Any) -> None:
    async with storing() as store:
        await store.save(response("a"))
    with pytest.raises(StoreUnavailableError):
        await store.save(response("b"))
    assert not [t for t in threading.enumerate() if t.name.startswith("responses")]


@pytest.mark.usefixtures("database")
def test_what_was_under_way_when_its_server_ended_has_failed(tmp_path: Path) -> None:
    async def before() -> None:
        async with storing(boot_id="dead") as store:
            await store.save(response("running", status="queued"))
            await store.save(response("done"))
        async with storing(boot_id="alive") as store:
            await store.save(response("others", status="in_progress"))

    async def after() -> list[Any]:
        async with storing(boot_id="next") as store:
            found = [
                await store.response(f"resp_{name}", "key")
                for name in ("running", "done", "others")
            ]
        return [each.body for each in found if each]

    asyncio.run(before())
    leave_spool(tmp_path, "dead", [encode_record(started("dead"))])
    with recording(tmp_path, "next"):
        running, done, others = asyncio.run(after())
        assert RequestLog.objects.get().outcome == "interrupted"
    assert running["status"] == "failed"
    assert running["error"]["code"] == "server_error"
    assert "the server was restarted" in running["error"]["message"].lower()
    assert (done["status"], others["status"]) == ("completed", "in_progress")
    assert ResponseRow.objects.filter(is_under_way=True).count() == 1
