"""The ISP of the demo: made at the first start with random secrets, and found again at the next."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from mgmt.accounts import add_isp
from mgmt.database import Database
from mgmt.models import Isp
from mgmt.store import customers, devices, isps, plans

EMAIL: Final = "demo@radiuscore.example"
ROUTER: Final = "127.0.0.1"
USERNAME: Final = "anna"
DOWNLOAD_BPS: Final = 50_000_000
UPLOAD_BPS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class DemoIsp:
    """What the demo logs in with."""

    isp_id: int
    radius_secret: str = field(repr=False)
    username: str
    password: str = field(repr=False)


async def find_or_make(database: Database) -> DemoIsp:
    """Return the demo's ISP with its router at 127.0.0.1, a plan and a customer."""
    async with database.server.connect() as db, db.transaction():
        isp_id = await isps.find_by_email(db, EMAIL)
        if isp_id is not None:
            secret = await isps.load_radius_secret(db, isp_id, database.keyring)
            assert secret is not None
            password = await customers.load_password(db, isp_id, database.keyring, USERNAME)
            return DemoIsp(isp_id, secret, USERNAME, password)
        isp = await add_isp(db, database.keyring, Isp("Demo", "Demo ISP", EMAIL))
        assert isp.id is not None
        assert isp.radius_secret is not None
        await devices.insert(db, isp.id, device_name="Demo router", device_ip=ROUTER)
        plan_id = await plans.insert(db, isp.id, name="Home 50", download_bps=DOWNLOAD_BPS, upload_bps=UPLOAD_BPS)
        password = secrets.token_hex(6)
        await customers.insert(
            db, isp.id, database.keyring, username=USERNAME, password=password, service_plan_id=plan_id
        )
        return DemoIsp(isp.id, isp.radius_secret, USERNAME, password)
