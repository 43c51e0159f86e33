"""What else there is of one ISP: its keys, and how it is doing."""

from mgmt.api.isps import isp_of_path
from mgmt.api.resource import load
from mgmt.api.schemas.isps import IspStats, NewApiKey, NewRadiusSecret, Rotation, Today, Use
from mgmt.audit import record
from mgmt.call import Answer, Call
from mgmt.models import Isp, api_key_hash
from mgmt.store import isp_records as store


async def rotate_api_key(call: Call, body: Rotation) -> Answer:
    """Give an ISP a new API key, shown this once; the one before works for a while beside it."""
    isp_id = isp_of_path(call)
    api_key = Isp("", "", "").generate_api_key()
    async with call.transaction() as db:
        await load(db, store.LOCK, isp_id, isp_id)
        until = await db.fetchval(store.ROTATE_API_KEY, isp_id, api_key_hash(api_key), body.overlap_s)
        new = {"api_key": api_key, "overlap_s": body.overlap_s}
        await record(call, db, "isps.rotate_api_key", isp_id=isp_id, target=("isp", isp_id), new=new)
    return Answer(NewApiKey(api_key=api_key, previous_api_key_expires_at=until))


async def rotate_radius_secret(call: Call, body: Rotation) -> Answer:
    """Give an ISP a new RADIUS secret, shown this once; routers that still have the one before are answered too."""
    isp_id, keyring = isp_of_path(call), call.services.keyring
    secret = Isp("", "", "").generate_radius_secret()

    async with call.transaction() as db:
        await load(db, store.LOCK, isp_id, isp_id)
        before: str | None = await db.fetchval(store.FIND_SECRET, isp_id)
        outgoing = None
        if before is not None and body.overlap_s:
            opened = keyring.open(before, table="isps", row=isp_id, column="radius_secret", isp_id=isp_id)
            outgoing = keyring.seal(opened, table="isps", row=isp_id, column="outgoing_radius_secret", isp_id=isp_id)
        sealed = keyring.seal(secret, table="isps", row=isp_id, column="radius_secret", isp_id=isp_id)
        until = await db.fetchval(store.ROTATE_RADIUS_SECRET, isp_id, sealed, outgoing, body.overlap_s)
        new = {"radius_secret": secret, "overlap_s": body.overlap_s}
        await record(call, db, "isps.rotate_radius_secret", isp_id=isp_id, target=("isp", isp_id), new=new)
    return Answer(NewRadiusSecret(radius_secret=secret, outgoing_radius_secret_until=until))


async def show_stats(call: Call) -> Answer:
    """Show an ISP's use against its limits, who is online, and what happened today."""
    isp_id = isp_of_path(call)
    async with call.transaction() as db:
        await load(db, store.FIND, isp_id, isp_id)
        use = await db.fetchrow(store.COUNT_USE, isp_id)
    assert use is not None
    async with call.accounting() as db:
        online = await db.fetchrow(store.COUNT_ONLINE, isp_id)
        logins = await db.fetchrow(store.COUNT_LOGINS, isp_id, use["since"])
        traffic = await db.fetchrow(store.SUM_TRAFFIC, isp_id, use["day"])
    assert online is not None
    assert logins is not None
    assert traffic is not None
    return Answer(
        IspStats(
            isp_id=isp_id,
            devices=Use(used=use["devices"], limit=use["max_devices"]),
            customers=Use(used=use["customers"], limit=use["max_customers"]),
            online_customers=online["online_customers"],
            open_sessions=online["open_sessions"],
            today=Today(since=use["since"], **dict(logins), **dict(traffic)),
        )
    )
