"""What workers learned of devices, written where nothing was known: the first proof, the first signature.

Both are written once and read by every node through the change log; who writes second changes nothing.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from radiuscore.aaa.devices import DeviceProved, DeviceSigned
from radiuscore.store.pool import Connection

# A proof counts for the address it came from: a device that can be at several could otherwise be proved at its own and
# take precedence at a neighbour's. The first one at an address stays.
RECORD_PROOFS: Final = """
UPDATE control.devices AS d
   SET proved_at = to_timestamp(proof.at)
  FROM unnest($1::int[], $2::bigint[], $3::float8[], $4::inet[]) AS proof (isp_id, nas_id, at, address)
 WHERE d.isp_id = proof.isp_id
   AND d.id = proof.nas_id
   AND d.proved_at IS NULL
   AND proof.address::cidr = ALL (CASE d.radius_sources WHEN '{}' THEN ARRAY[d.device_ip::cidr]
                                  ELSE d.radius_sources END)
"""
RECORD_ADDRESS_PROOFS: Final = """
UPDATE control.devices AS d
   SET address_proofs = proof.addresses || d.address_proofs
  FROM (SELECT at_home.isp_id, at_home.id, jsonb_object_agg(host(one.address), one.at) AS addresses,
               array_agg(host(one.address)) AS keys
          FROM unnest($1::int[], $2::bigint[], $3::float8[], $4::inet[]) AS one (isp_id, nas_id, at, address)
          JOIN control.devices AS at_home ON at_home.isp_id = one.isp_id AND at_home.id = one.nas_id
         WHERE one.address <<= ANY (at_home.radius_sources)
           AND NOT one.address::cidr = ALL (at_home.radius_sources)
         GROUP BY at_home.isp_id, at_home.id
       ) AS proof
 WHERE d.isp_id = proof.isp_id
   AND d.id = proof.id
   AND NOT d.address_proofs ?& proof.keys
   AND (SELECT count(*) FROM jsonb_object_keys(d.address_proofs)) < 1024
"""
RECORD_SIGNED: Final = """
UPDATE control.devices AS d
   SET message_authenticator_seen_at = to_timestamp(signed.at)
  FROM unnest($1::int[], $2::bigint[], $3::float8[]) AS signed (isp_id, nas_id, at)
 WHERE d.isp_id = signed.isp_id
   AND d.id = signed.nas_id
   AND d.message_authenticator_seen_at IS NULL
"""


async def record_proofs(db: Connection, rows: Sequence[DeviceProved]) -> None:
    """Note when each device was first proved to be at an address, if it still has that address."""
    rows = sorted(rows)  # one order for all writers: no deadlock
    columns = [row.isp_id for row in rows], [row.nas_id for row in rows], [row.at for row in rows]
    addresses = [ip_address(row.address) for row in rows]
    await db.execute(RECORD_PROOFS, *columns, addresses)
    await db.execute(RECORD_ADDRESS_PROOFS, *columns, addresses)


async def record_signed(db: Connection, rows: Sequence[DeviceSigned]) -> None:
    """Note when each device first signed; the policy ``auto`` means ``yes`` from then on."""
    rows = sorted(rows)
    await db.execute(
        RECORD_SIGNED, [row.isp_id for row in rows], [row.nas_id for row in rows], [row.at for row in rows]
    )
