"""What it takes to talk to a device, and what is kept of what it said. What is learned is the server's to write.

Everything that is written names the address that was talked to: a device that has been given another one meanwhile
learns nothing from the old one's answers.
"""

from typing import Final, NamedTuple

from radiuscore.aaa.records import IspId, NasId
from radiuscore.store.pool import Connection
from radiuscore.store.rows import Row

FIND_TARGET: Final = """
SELECT d.isp_id, d.id, host(d.device_ip) AS address, d.username, d.password, d.api_port, d.ssh_port, d.use_tls,
       d.tls_fingerprint, d.ssh_host_key
  FROM control.devices AS d
 WHERE d.isp_id = $1
   AND d.id = $2
"""
FIND_RADIUS_SIDE: Final = """
SELECT d.isp_id, d.id, d.device_ip, d.radius_sources, d.radius_secret, i.radius_secret AS isp_radius_secret, d.coa_port,
       (d.outgoing_radius_secret IS NOT NULL OR (d.radius_secret IS NULL AND i.outgoing_radius_secret IS NOT NULL))
         AS rotating,
       greatest(d.updated_at, CASE WHEN d.radius_secret IS NULL THEN i.updated_at END) AS changed_at
  FROM control.devices AS d
  JOIN control.isps AS i ON i.id = d.isp_id
 WHERE d.isp_id = $1
   AND d.id = $2
"""
FIND_LAST_REPORT: Final = """
SELECT s.updated_at, s.local_address
  FROM accounting.sessions AS s
 WHERE s.isp_id = $1
   AND s.nas_id = $2
   AND s.state <> 'closed'
 ORDER BY s.updated_at DESC
 LIMIT 1
"""
PIN: Final = """
UPDATE control.devices AS d
   SET tls_fingerprint = coalesce(d.tls_fingerprint, $4::text), ssh_host_key = coalesce(d.ssh_host_key, $5::text)
 WHERE d.isp_id = $1
   AND d.id = $2
   AND d.device_ip = $3::text::inet
   AND (($4::text IS NOT NULL AND d.tls_fingerprint IS NULL) OR ($5::text IS NOT NULL AND d.ssh_host_key IS NULL))
RETURNING d.id
"""
# A login proves the address that was logged in to, and no other that the device may ask from.
PROVE: Final = """
UPDATE control.devices AS d
   SET proved_at = now()
 WHERE d.isp_id = $1
   AND d.id = $2
   AND d.device_ip = $3::text::inet
   AND d.proved_at IS NULL
   AND d.device_ip::cidr = ALL (d.radius_sources)
"""
NAME_MODEL: Final = """
UPDATE control.devices AS d
   SET device_model = $4::text
 WHERE d.isp_id = $1
   AND d.id = $2
   AND d.device_ip = $3::text::inet
   AND coalesce(d.device_model, '') = ''
"""
NOTE_ANSWER: Final = """
INSERT INTO control.device_status AS s (isp_id, device_id, state, checked_at, seen_at, changed_at, identity, version)
SELECT d.isp_id, d.id, 'online', now(), now(), now(), $4::text, $5::text
  FROM control.devices AS d
 WHERE d.isp_id = $1
   AND d.id = $2
   AND d.device_ip = $3::text::inet
    ON CONFLICT (isp_id, device_id) DO UPDATE
   SET state = 'online', checked_at = now(), seen_at = now(), error = NULL, identity = excluded.identity,
       version = excluded.version,
       changed_at = CASE s.state WHEN 'online' THEN s.changed_at ELSE now() END
"""
NOTE_READING: Final = """
UPDATE control.device_status AS s
   SET model = $4::text, serial_number = $5::text, uptime_s = $6::bigint, cpu_percent = $7::smallint,
       memory_free_octets = $8::bigint, client_count = $9::int, interfaces = $10::jsonb
  FROM control.devices AS d
 WHERE s.isp_id = $1
   AND s.device_id = $2
   AND d.isp_id = $1
   AND d.id = $2
   AND d.device_ip = $3::text::inet
"""
# One service that is silent is no router that is down, if another has answered just now.
NOTE_FAULT: Final = """
INSERT INTO control.device_status AS s (isp_id, device_id, state, checked_at, changed_at, error)
SELECT d.isp_id, d.id, CASE WHEN $5::boolean THEN 'offline' ELSE 'unknown' END, now(), now(), $4::text
  FROM control.devices AS d
 WHERE d.isp_id = $1
   AND d.id = $2
   AND d.device_ip = $3::text::inet
    ON CONFLICT (isp_id, device_id) DO UPDATE
   SET checked_at = now(), error = excluded.error,
       state = CASE WHEN $5::boolean AND coalesce(s.seen_at < now() - interval '5 minutes', true) THEN 'offline'
                    ELSE s.state END,
       changed_at = CASE WHEN $5::boolean AND coalesce(s.seen_at < now() - interval '5 minutes', true)
                              AND s.state <> 'offline' THEN now() ELSE s.changed_at END
"""


class Target(NamedTuple):
    """How to log in to a device. ``password`` is sealed; ports are ``None`` where the device names none."""

    isp_id: IspId
    device_id: NasId
    address: str
    username: str | None
    password: str | None
    api_port: int | None
    ssh_port: int | None
    use_tls: bool
    tls_fingerprint: str | None
    ssh_host_key: str | None

    @property
    def key(self) -> tuple[IspId, NasId, str]:
        """What everything that is learned of it is stored by."""
        return self.isp_id, self.device_id, self.address


async def find_target(db: Connection, isp_id: IspId, device_id: NasId) -> Target | None:
    """Return how to log in to a device; ``None`` where the ISP has no such device."""
    row: Row | None = await db.fetchrow(FIND_TARGET, isp_id, device_id)
    return None if row is None else Target(*row)
