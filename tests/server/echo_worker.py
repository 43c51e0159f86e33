"""A worker without RADIUS and without a database, for tests of the supervisor: it answers `<its pid> <the datagram>`.

`slow` is answered after half a second, `never` not at all, `exit` ends the process with code 3. Started with
`--farewell FILE` it makes that file at a good end; with `--deaf` it never says anything.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path

from radiuscore.engine.counters import Counters
from radiuscore.engine.exchange import Pending
from radiuscore.server.batchsocket import datagram_socket
from radiuscore.server.lifeline import Lifeline, read_orders
from radiuscore.server.listener import Listener, Outcome
from radiuscore.state.moment import Moment


class Echo:
    counters = Counters()

    def handle(self, datagram: bytes, source: bytes, local: bytes, now: Moment) -> Outcome:
        reply = b"%d %s" % (os.getpid(), datagram)
        match datagram:
            case b"exit":
                os._exit(3)
            case b"slow":
                return Pending(asyncio.sleep(0.5), lambda _: reply, lambda reason: reason)
            case b"never":
                return Pending(asyncio.get_running_loop().create_future(), lambda _: reply, lambda reason: reason)
            case _:
                return reply


async def main() -> None:
    orders = read_orders()
    listeners = [
        Listener(datagram_socket(socket.socket(fileno=one.fd)), Echo(), lambda *_: None) for one in orders.sockets
    ]
    if "--deaf" in sys.argv:
        await asyncio.Event().wait()
    with Lifeline(orders) as lifeline:
        for listener in listeners:
            listener.start()
        lifeline.ready()
        await lifeline.ended.wait()
        for listener in listeners:
            listener.stop_reading()
        await asyncio.gather(*(listener.drained() for listener in listeners))


asyncio.run(main())
if sys.argv[1:2] == ["--farewell"]:
    Path(sys.argv[2]).touch()
