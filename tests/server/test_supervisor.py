"""Real processes on real sockets: what is started, replaced, refused and drained. The workers only echo."""

import asyncio
import logging
import os
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from radiuscore.server import child as child_module
from radiuscore.server.config import ServeConfig
from radiuscore.server.datapath import RECEIVE_BUFFER, CannotServe, open_data_path
from radiuscore.server.sdnotify import Notifier
from radiuscore.server.supervisor import Supervisor
from tests.server.support import running, until

ECHO_WORKER = (sys.executable, str(Path(__file__).parent / "echo_worker.py"))
HAS_IPV6 = Path("/proc/net/if_inet6").exists()
SILENT = Notifier(None, None)


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    return ServeConfig(
        hosts=("127.0.0.1",),
        auth_port=0,
        acct_port=0,
        workers=2,
        dsn="postgresql://nobody:hidden@localhost/none",
        accounting_dsn="postgresql://nobody:hidden@localhost/none",
        encryption_keys="k1:hidden",
        data_dir=tmp_path,
        run_dir=tmp_path / "run",
    )


class Asker:
    """Asks from one socket; replies come back in any order."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.connect((host, port))

    def send(self, octets: bytes) -> None:
        self._sock.send(octets)

    async def receive(self) -> tuple[int, bytes]:
        """Return who answered (the worker's pid) and what."""
        octets = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._sock, 4096), 20)
        pid, _, text = octets.partition(b" ")
        return int(pid), text

    async def ask(self, octets: bytes) -> tuple[int, bytes]:
        self.send(octets)
        return await self.receive()

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def asker() -> Iterator[Callable[..., Asker]]:
    opened: list[Asker] = []

    def make(port: int, host: str = "127.0.0.1") -> Asker:
        opened.append(Asker(port, host))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


Make = Callable[..., Asker]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and is not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def messages(caplog: pytest.LogCaptureFixture, text: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == text]


async def test_all_workers_answer_on_both_ports_and_end_together(config: ServeConfig, asker: Make) -> None:
    supervisor = Supervisor(config, worker_argv=ECHO_WORKER, notifier=SILENT)
    async with running(supervisor) as ports:
        pids = supervisor.worker_pids()
        assert len(set(pids)) == 2
        for port in ports:
            answered_by = {(await asker(port).ask(b"hello"))[0] for _ in range(64)}
            assert answered_by == set(pids)
    assert not any(is_alive(pid) for pid in pids if pid is not None)
    with pytest.raises(OSError, match="refused"):
        await asker(ports.auth).ask(b"anybody?")


async def test_both_wildcards_are_served_and_answer_from_the_address_asked(config: ServeConfig, asker: Make) -> None:
    if not HAS_IPV6:
        pytest.skip("this machine has no IPv6")
    both = replace(config, hosts=("0.0.0.0", "::"))
    async with running(Supervisor(both, worker_argv=ECHO_WORKER, notifier=SILENT)) as ports:
        for host in ("127.0.0.1", "127.0.0.9", "::1"):
            assert (await asker(ports.acct, host).ask(b"hello"))[1] == b"hello"


async def test_a_killed_worker_is_replaced_and_its_queue_is_answered(
    config: ServeConfig, asker: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    supervisor = Supervisor(replace(config, workers=1), worker_argv=ECHO_WORKER, notifier=SILENT)
    async with running(supervisor) as ports:
        (killed,) = supervisor.worker_pids()
        assert killed is not None
        asking = asker(ports.auth)
        assert (await asking.ask(b"before"))[0] == killed
        os.kill(killed, signal.SIGSTOP)  # so that what follows is in the socket and not in the process
        for number in range(200):
            asking.send(b"%d" % number)
        os.kill(killed, signal.SIGKILL)
        answers = [await asking.receive() for _ in range(200)]
        assert sorted(int(text) for _, text in answers) == list(range(200))
        assert {pid for pid, _ in answers} == {*supervisor.worker_pids()} != {killed}
    (record,) = messages(caplog, "a process ended and is replaced")
    assert (vars(record)["child"], vars(record)["why"]) == ("worker 0", "signal SIGKILL")


async def test_the_other_worker_goes_on_while_one_is_replaced(config: ServeConfig, asker: Make) -> None:
    supervisor = Supervisor(config, worker_argv=ECHO_WORKER, notifier=SILENT)
    async with running(supervisor) as ports:
        first, second = supervisor.worker_pids()
        assert first is not None
        askers = [asker(ports.auth) for _ in range(32)]
        its_own = [one for one in askers if (await one.ask(b"who"))[0] == second]
        os.kill(first, signal.SIGKILL)
        assert {(await one.ask(b"still"))[0] for one in its_own} == {second}
        await until(lambda: supervisor.worker_pids()[0] not in (None, first))


async def test_a_hung_worker_is_killed_and_replaced(
    config: ServeConfig, asker: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "HANG_S", 2.5)
    supervisor = Supervisor(replace(config, workers=1), worker_argv=ECHO_WORKER, notifier=SILENT)
    async with running(supervisor) as ports:
        (hung,) = supervisor.worker_pids()
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        pid, text = await asker(ports.auth).ask(b"anybody?")
        assert text == b"anybody?"
        assert pid != hung
        assert not is_alive(hung)
    (record,) = messages(caplog, "a process ended and is replaced")
    assert vars(record)["why"].startswith("hung: no heartbeat for")


async def test_a_worker_that_never_says_anything_is_taken_for_hung(
    config: ServeConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "START_S", 0.5)
    supervisor = Supervisor(replace(config, workers=1), worker_argv=(*ECHO_WORKER, "--deaf"), notifier=SILENT)
    task = asyncio.create_task(supervisor.run())
    await until(lambda: messages(caplog, "a process ended and is replaced"), 30)
    supervisor.stop()
    with pytest.raises(CannotServe, match="before it was ready"):
        await supervisor.ready()
    await asyncio.wait_for(task, 30)


async def test_a_worker_that_dies_at_once_is_tried_again_ever_more_slowly(
    config: ServeConfig, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(
        replace(config, workers=1), worker_argv=(sys.executable, "-c", "raise SystemExit(7)"), notifier=SILENT
    )
    task = asyncio.create_task(supervisor.run())
    await until(lambda: len(messages(caplog, "a process ended and is replaced")) == 3, 30)
    supervisor.stop()
    await asyncio.wait_for(task, 30)
    records = [vars(record) for record in messages(caplog, "a process ended and is replaced")]
    assert [record["again_in_s"] for record in records] == [0.25, 0.5, 1.0]
    assert {record["why"] for record in records} == {"exit code 7"}


@pytest.mark.parametrize("taken", ["auth", "acct"])
async def test_a_second_server_on_the_same_port_is_refused_in_one_sentence(config: ServeConfig, taken: str) -> None:
    async with running(Supervisor(config, worker_argv=ECHO_WORKER, notifier=SILENT)) as ports:
        port = getattr(ports, taken)
        second = Supervisor(replace(config, **{f"{taken}_port": port}), worker_argv=ECHO_WORKER, notifier=SILENT)
        with pytest.raises(CannotServe) as refused:
            await second.run()
        assert str(refused.value) == (
            f"UDP 127.0.0.1:{port} is taken, most likely by another RADIUS server: stop that one, "
            f"or set RADIUS_{taken.upper()}_PORT to another port."
        )
        with pytest.raises(CannotServe):
            await second.ready()


async def test_a_storm_has_room_in_the_kernel(config: ServeConfig, caplog: pytest.LogCaptureFixture) -> None:
    """8 MiB for root; as somebody else what the system allows, and the log says how to allow more."""
    caplog.set_level(logging.INFO)
    with open_data_path(config.hosts, 0, 0, 1) as path:
        room = path.receive_buffer
    if os.geteuid() == 0:
        assert room == RECEIVE_BUFFER
    async with running(Supervisor(config, worker_argv=ECHO_WORKER, notifier=SILENT)):
        pass
    told = messages(caplog, "the kernel gives less room for a storm of requests than we ask for")
    assert bool(told) == (room < RECEIVE_BUFFER)


async def test_an_address_of_another_machine_is_refused_in_one_sentence(config: ServeConfig) -> None:
    elsewhere = Supervisor(replace(config, hosts=("198.51.100.1",)), worker_argv=ECHO_WORKER, notifier=SILENT)
    with pytest.raises(CannotServe, match=r"^RADIUS_HOST names 198\.51\.100\.1, which is not an address of this mac"):
        elsewhere.open()


async def test_stopping_answers_what_was_read_and_lets_the_management_process_end_last(
    config: ServeConfig, asker: Make, tmp_path: Path
) -> None:
    worker_ended, management_ended = tmp_path / "worker", tmp_path / "management"
    management = textwrap.dedent(f"""
        import asyncio, pathlib
        from radiuscore.server.lifeline import Lifeline, read_orders
        async def main():
            with Lifeline(read_orders()) as lifeline:
                lifeline.ready()
                pathlib.Path({str(tmp_path / "started")!r}).touch()
                await lifeline.ended.wait()
            assert pathlib.Path({str(worker_ended)!r}).exists()
            pathlib.Path({str(management_ended)!r}).touch()
        asyncio.run(main())
    """)
    supervisor = Supervisor(
        replace(config, workers=1),
        (sys.executable, "-c", management),
        worker_argv=(*ECHO_WORKER, "--farewell", str(worker_ended)),
        notifier=SILENT,
    )
    async with running(supervisor) as ports:
        await until((tmp_path / "started").exists)
        asking = asker(ports.acct)
        asking.send(b"slow")
        await asking.ask(b"and now")
    assert (await asking.receive())[1] == b"slow"
    assert management_ended.exists()


async def test_a_dead_management_process_is_replaced(config: ServeConfig) -> None:
    supervisor = Supervisor(
        config, (sys.executable, "-c", "import sys; sys.stdin.read()"), worker_argv=ECHO_WORKER, notifier=SILENT
    )
    async with running(supervisor):
        await until(lambda: supervisor.management_pid)
        pid = supervisor.management_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: supervisor.management_pid not in (None, pid))


async def test_asked_twice_to_stop_it_does_not_wait(config: ServeConfig, asker: Make) -> None:
    supervisor = Supervisor(replace(config, workers=1), worker_argv=ECHO_WORKER, notifier=SILENT)
    loop = asyncio.get_running_loop()
    async with running(supervisor) as ports:
        asking = asker(ports.auth)
        asking.send(b"never")
        await asking.ask(b"has been read")
        began = loop.time()
        supervisor.stop()
    assert loop.time() - began < 5  # the first stop alone would wait for the answer that never comes


SERVE = """
import asyncio, sys
from radiuscore.server.config import Orders
from radiuscore.server.supervisor import Supervisor
async def main():
    orders = Orders.from_line(sys.stdin.buffer.readline())
    supervisor = Supervisor(orders.config, None, worker_argv={worker_argv!r})
    task = asyncio.create_task(supervisor.run())
    print(*await supervisor.ready(), *supervisor.worker_pids(), flush=True)
    await task
asyncio.run(main())
"""


@asynccontextmanager
async def serving(config: ServeConfig, **environ: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """Run a supervisor in a process of its own; give it and the numbers it prints: two ports, then the workers."""
    from radiuscore.server.config import Orders

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVE.format(worker_argv=ECHO_WORKER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(Orders(config, None, 0, 0, 0, 0).to_line())
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield process, [int(word) for word in line.split()]
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_the_exit_code_is_0(config: ServeConfig, asker: Make, number: signal.Signals) -> None:
    async with serving(replace(config, workers=1)) as (process, (_, acct, worker)):
        asking = asker(acct)
        asking.send(b"slow")
        await asking.ask(b"slow has been read")
        process.send_signal(number)
        assert (await asking.receive())[1] == b"slow"
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert not is_alive(worker)


async def test_when_the_supervisor_is_killed_its_children_end(config: ServeConfig) -> None:
    async with serving(config) as (process, (_, _, *workers)):
        assert all(is_alive(pid) for pid in workers)
        process.kill()
        await until(lambda: not any(is_alive(pid) for pid in workers), 20)


async def test_systemd_is_told(config: ServeConfig, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.setblocking(False)
        loop = asyncio.get_running_loop()
        told: list[str] = []

        async def hear(word: str) -> None:
            async with asyncio.timeout(20):
                while word not in told:
                    told.extend((await loop.sock_recv(systemd, 4096)).decode().splitlines())

        async with serving(config, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="200000") as (process, (auth, acct, *_)):
            await hear("READY=1")
            assert f"STATUS=RADIUS on UDP {auth} and {acct}" in told
            told.clear()
            await hear("WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            await hear("STOPPING=1")
            assert await asyncio.wait_for(process.wait(), 20) == 0


def test_no_secret_is_shown(config: ServeConfig) -> None:
    assert "hidden" not in repr(config)
