"""The management process: HTTP, the workers' channel, traces and jobs. Started by the supervisor, ends with it.

It may crash or stall without one RADIUS packet being late.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from socket import gethostname
from time import time
from typing import Final

import asyncpg
from aiohttp import web
from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import CollectorRegistry

from mgmt.apiconfig import ApiConfig
from mgmt.app import create_app, quiet_bad_requests
from mgmt.health import Health
from mgmt.jobs import run_jobs
from mgmt.leader import lead
from mgmt.react.leading import lead_reactions
from mgmt.react.metrics import SenderCollector
from mgmt.react.sender import Sender
from mgmt.services import Pools, Services, make_services
from mgmt.tracing import SOCKET_NAME as TRACE_SOCKET
from mgmt.tracing import TraceServer
from mgmt.upkeep import Databases, jobs_of
from radiuscore.server import logs
from radiuscore.server.channel import SOCKET_NAME as CHANNEL_SOCKET
from radiuscore.server.channel_server import ChannelServer
from radiuscore.server.config import Orders, ServeConfig
from radiuscore.server.exposition import WorkerCollector
from radiuscore.server.lifeline import Lifeline, read_orders
from radiuscore.store.pool import ISP_ROLE, SYSTEM_ROLE, DirectConnection, Pool, connect, open_pool
from radiuscore.store.sealing import Keyring

CLOSE_S: Final = 5.0

_LOG: Final = logging.getLogger("mgmt.management")  # also when it is __main__


async def manage(orders: Orders, host: str, port: int) -> None:
    """Do this process's work until the lifeline ends. Raises what broke a part: the supervisor starts another one."""
    config = orders.config
    with Lifeline(orders) as lifeline:
        async with _databases(config) as (control_pools, accounting_pools):
            control, accounting = control_pools.system, accounting_pools.system
            api = ApiConfig.from_json(config.for_management)
            services = make_services(control_pools, accounting_pools, Keyring.parse(config.encryption_keys), api)
            traces = TraceServer(config.run_dir / TRACE_SOCKET, control)
            channel = ChannelServer(config.run_dir / CHANNEL_SOCKET, traces.on_event)
            health = Health(lambda: channel.reports, config.workers, partial(_probe, control, accounting))
            owner = partial(connect, config.accounting_dsn, application_name="radiuscore jobs")
            databases = Databases(control, accounting, owner)
            leader = partial(connect, config.dsn, application_name="radiuscore jobs")
            watcher = partial(connect, config.dsn, role=SYSTEM_ROLE, application_name="radiuscore reactions")
            sender = Sender(gethostname(), control, accounting, watcher, services.keyring, services.guard)
            metrics = _metrics(channel, sender)
            async with _listening(channel, traces), _serving(health, metrics, services, host, port):
                lifeline.ready()
                async with asyncio.TaskGroup() as tasks:
                    running = [
                        tasks.create_task(health.watch(), name="health"),
                        tasks.create_task(lead(leader, partial(_jobs, databases, watcher, services)), name="jobs"),
                        tasks.create_task(sender.run(), name="sender of reactions"),
                    ]
                    await lifeline.ended.wait()
                    for task in running:
                        task.cancel()


async def _probe(*pools: Pool) -> None:
    for pool in pools:
        await pool.execute("SELECT 1")


async def _jobs(
    databases: Databases, connect_watcher: Callable[[], Awaitable[DirectConnection]], services: Services
) -> None:
    """Run the jobs from now on; who was silent before has not been heard, because perhaps nobody listened."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_jobs(jobs_of(databases, heard_since=time())))
        tasks.create_task(lead_reactions(databases.control, databases.accounting, connect_watcher, services.keyring))


@asynccontextmanager
async def _databases(config: ServeConfig) -> AsyncIterator[tuple[Pools, Pools]]:
    """Give the pools of configuration and accounting, which are the same where the database is."""
    async with _pool(config.dsn, ISP_ROLE) as isp, _pool(config.dsn) as system:
        control = Pools(isp, system)
        if config.accounting_dsn == config.dsn:
            yield control, control
            return
        async with _pool(config.accounting_dsn, ISP_ROLE) as isp, _pool(config.accounting_dsn) as system:
            yield control, Pools(isp, system)


@asynccontextmanager
async def _pool(dsn: str, role: str = SYSTEM_ROLE) -> AsyncIterator[Pool]:
    """Give a pool that connects when it is first used, so that this process starts without the database as well."""
    pool = await open_pool(dsn, role=role, application_name="radiuscore mgmt", min_size=0)
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(CLOSE_S):
                await pool.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()


@asynccontextmanager
async def _listening(channel: ChannelServer, traces: TraceServer) -> AsyncIterator[None]:
    """Listen for workers and for those who trace."""
    await channel.start()
    try:
        await traces.start(channel)
        yield
    finally:
        await traces.close()
        await channel.close()


def _metrics(channel: ChannelServer, sender: Sender) -> CollectorRegistry:
    metrics = CollectorRegistry()
    metrics.register(WorkerCollector(lambda: list(channel.reports.values())))
    metrics.register(SenderCollector(sender))
    for standard in (ProcessCollector, PlatformCollector, GCCollector):
        standard(registry=metrics)
    return metrics


@asynccontextmanager
async def _serving(
    health: Health, metrics: CollectorRegistry, services: Services, host: str, port: int
) -> AsyncIterator[None]:
    """Answer HTTP."""
    quiet_bad_requests()
    runner = web.AppRunner(create_app(health, metrics, services), access_log=None, shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        _LOG.info("management answers", extra={"host": host, "port": port})
        yield
    finally:
        await runner.cleanup()


def main() -> int:
    """Return 0 after an orderly end, 1 after a failure, which is logged."""
    parser = argparse.ArgumentParser(prog="python -m mgmt.management")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    given = parser.parse_args()
    try:
        orders = read_orders()
    except EOFError:
        sys.stderr.write("mgmt.management is started by `radiuscore serve`, not by hand.\n")
        return 1
    logs.configure(orders.config.log_level, orders.config.log_format, {"process": "management"})
    try:
        asyncio.run(manage(orders, given.host, given.port))
    except Exception:  # noqa: BLE001  # nobody else can log it; the supervisor sees only that we ended
        _LOG.exception("the management process failed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
