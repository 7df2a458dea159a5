"""Every wait for a real PostgreSQL ends: by a deadline on either side, or because somebody stops it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from cluster.errors import Interrupted, WarehouseLocked, WarehouseUnreachable
from consumer.sinks.postgres.connecting import connect
from consumer.sinks.postgres.place import address_of
from consumer.sinks.postgres.warehouse import PostgresWarehouse, open_warehouse
from tests.kit.freezing import freeze_process
from tests.kit.postgres import PostgresServer
from tests.kit.seconds import within
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.faults


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.database()


@pytest.fixture
def warehouse(url: str) -> Iterator[PostgresWarehouse]:
    with open_warehouse(address_of(url), "clicks", wait_s=0.5) as found:
        yield found


def test_a_server_that_stands_still_is_given_up(warehouse: PostgresWarehouse) -> None:
    ((pid,),) = warehouse.rows("SELECT pg_backend_pid()")
    warehouse.connection.answer_s = 1
    freeze_process(pid)
    began = time.monotonic()
    try:
        with pytest.raises(WarehouseUnreachable):
            warehouse.rows("SELECT 1")
        within(5, began, "giving up")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(warehouse: PostgresWarehouse) -> None:
    warehouse.rows("SELECT set_config('statement_timeout', '200', false)")
    with pytest.raises(WarehouseUnreachable, match="in time"):
        warehouse.rows("SELECT pg_sleep(30)")
    assert warehouse.rows("SELECT 1") == [(1,)]


def test_a_lock_is_waited_for_as_long_as_it_was_said(warehouse: PostgresWarehouse, url: str) -> None:
    with connect(address_of(url), lock_s=5) as other, other.transaction():
        other.execute("LOCK TABLE clicks.events IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(WarehouseLocked) as locked:
            warehouse.rows("SELECT count(*) FROM events")
        assert locked.value.exit_code == 75
        assert time.monotonic() - began >= 0.4
        within(5, began, "giving up the lock")


def test_whoever_waits_is_stopped_by_another_thread_and_goes_on_after_a_rollback(warehouse: PostgresWarehouse) -> None:
    ((pid,),) = warehouse.rows("SELECT pg_backend_pid()")
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            warehouse.begin()
            warehouse.rows("SELECT pg_sleep(30)")
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test says it
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    query = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND query LIKE '%pg_sleep%' AND state = 'active'"
    with connect(warehouse.address, lock_s=5) as other:
        wait_until(lambda: other.execute(query).fetchone() == (1,), "the statement to begin")
    began = time.monotonic()
    warehouse.interrupt()
    thread.join(10)
    within(3, began, "the end of the statement")
    assert [type(error) for error in ended] == [Interrupted]
    with pytest.raises(Interrupted):
        warehouse.rows("SELECT 1")
    warehouse.rollback()
    assert warehouse.rows("SELECT 1") == [(1,)]


def test_more_time_is_given_where_it_is_meant_and_taken_back(warehouse: PostgresWarehouse) -> None:
    before = warehouse.rows("SHOW statement_timeout")
    with warehouse.connection.patient(100):
        assert warehouse.rows("SHOW statement_timeout") == [("100s",)]
    assert warehouse.rows("SHOW statement_timeout") == before
    with pytest.raises(ZeroDivisionError), warehouse.transaction(), warehouse.connection.patient(100):
        raise ZeroDivisionError
    assert warehouse.rows("SHOW statement_timeout") == before


def test_a_deadline_of_the_database_ends_no_batch_and_no_proof(postgres: PostgresServer, url: str) -> None:
    name = url.rpartition("/")[2]
    for setting in ("idle_session_timeout", "transaction_timeout"):
        postgres.run(f"ALTER DATABASE {name} SET {setting} = '300ms'")
    with open_warehouse(address_of(url), "clicks") as warehouse:
        with warehouse.transaction():
            assert warehouse.rows("SELECT pg_sleep(0.7)::text") == [("",)]
        assert warehouse.rows("SELECT current_setting('idle_session_timeout')") == [("0",)]
