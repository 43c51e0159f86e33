"""Done once, however often it is sent: a POST with an Idempotency-Key, its effect and its answer in one transaction.

Only successes are remembered: what was refused has had no effect and may be sent again. The answer is kept sealed,
because some show a secret once.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
from aiohttp import web

from mgmt.call import Call
from mgmt.problems import Fault, Problem
from mgmt.store import idempotency

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
WAIT_MS: Final = 5000  # for the same key in another transaction
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


async def remembered(call: Call, key: str, said: str, answer: Callable[[], Awaitable[web.Response]]) -> web.Response:
    """Return the answer to a request whose content hashes to ``said``, made now or found. Raises `Problem`."""
    if not _KEY.fullmatch(key):
        raise Problem("validation_failed", faults=[Fault("header", HEADER, "value_error", "1 to 255 visible letters")])
    principal = call.principal
    async with call.services.control.transaction(principal.isp_id) as db:
        try:
            found = await idempotency.claim(db, principal.isp_id, principal.key, key, said, WAIT_MS)
        except asyncpg.LockNotAvailableError:
            raise Problem("idempotency_key_in_use", headers={"Retry-After": "1"}) from None
        place = {"table": "idempotency_keys", "row": f"{principal.key} {key}", "column": "response"}
        keyring, isp_id = call.services.keyring, principal.isp_id or 0
        if found is not None:
            if found.request_sha256 != said:
                raise Problem("idempotency_key_reused")
            body = keyring.open(found.response, **place, isp_id=isp_id)
            headers = {REPLAYED: "true"}
            return web.Response(body=body, status=found.status, content_type="application/json", headers=headers)
        call.idempotent = db
        response = await answer()
        body = response.body if isinstance(response.body, bytes) else b""
        sealed = keyring.seal(body, **place, isp_id=isp_id)
        await idempotency.keep(db, principal.isp_id, principal.key, key, response.status, sealed)
        return response
