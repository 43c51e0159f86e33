"""What a client of the API may have done wrong, as RFC 9457 problems: one closed table of codes.

A handler raises `Problem`; the middleware makes the answer. No value that was sent is ever repeated in one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web
from orjson import dumps

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:problem:radiuscore:"


class Kind(NamedTuple):
    """What a code stands for."""

    status: int
    title: str


CODES: Final[Mapping[str, Kind]] = {
    "bad_request": Kind(400, "The request is not valid"),
    "isp_id_required": Kind(400, "An admin must say for which ISP"),
    "unknown_connection_type": Kind(400, "There is no such connection type"),
    "token_missing": Kind(401, "This needs an access token or an API key"),
    "token_invalid": Kind(401, "The access token or API key is not valid"),
    "token_expired": Kind(401, "The access token has expired"),
    "bad_credentials": Kind(401, "Email and password do not belong together"),
    "otp_required": Kind(401, "A one-time password is needed as well"),
    "bad_otp": Kind(401, "The one-time password is not valid, or was used already"),
    "refresh_token_invalid": Kind(401, "The refresh token is not valid"),
    "refresh_token_reused": Kind(401, "The refresh token was used before: log in again"),
    "forbidden": Kind(403, "This role may not do that"),
    "field_forbidden": Kind(403, "This role may not set that"),
    "tenant_access_denied": Kind(403, "That is another ISP's"),
    "isp_suspended": Kind(403, "The ISP is suspended"),
    "not_found": Kind(404, "There is no such thing"),
    "method_not_allowed": Kind(405, "There is no such method here"),
    "conflict": Kind(409, "That is in conflict with what is there"),
    "limit_reached": Kind(409, "The ISP has as many as it may have"),
    "email_taken": Kind(409, "The email is taken"),
    "username_taken": Kind(409, "The ISP has a customer of that name"),
    "name_taken": Kind(409, "The ISP has one of that name"),
    "device_ip_taken": Kind(409, "The ISP has a device at that address"),
    "device_credentials_missing": Kind(409, "The device has no username and password to log in with"),
    "radius_secret_missing": Kind(409, "The device has no RADIUS secret"),
    "in_use": Kind(409, "It is still in use"),
    "own_account": Kind(409, "One's own account must be changed by somebody else"),
    "mfa_enabled": Kind(409, "One-time passwords are enabled already"),
    "mfa_not_set_up": Kind(409, "One-time passwords are not set up"),
    "idempotency_key_in_use": Kind(409, "A request with this Idempotency-Key is being worked on"),
    "precondition_failed": Kind(412, "It was changed in the meantime"),
    "body_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "The body must be application/json"),
    "validation_failed": Kind(422, "The request is not valid"),
    "idempotency_key_reused": Kind(422, "This Idempotency-Key was used for another request"),
    "cursor_invalid": Kind(422, "The cursor does not belong to this list"),
    "too_many_requests": Kind(429, "Too many requests"),
    "too_many_logins": Kind(429, "Too many failed logins"),
    "internal_error": Kind(500, "The server failed"),
    "busy": Kind(503, "The server has too much to do"),
    "database_unavailable": Kind(503, "The database does not answer"),
}


class Fault(NamedTuple):
    """One thing that is wrong with a request: where (``body``, ``query``, ``header``), which field, what."""

    where: str
    field: str
    code: str
    message: str


class Problem(Exception):
    """A request that gets no answer but this. ``members`` are more members of the problem, safe to show."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.kind = CODES[code]
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.members = members

    def to_json(self) -> dict[str, Any]:
        """Return the members of the problem details object (RFC 9457 §3)."""
        body: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.kind.title,
            "status": self.kind.status,
            "code": self.code,
            "error": self.code,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.faults:
            body["errors"] = [fault._asdict() for fault in self.faults]
        return body | self.members

    def to_response(self) -> web.Response:
        """Return the HTTP answer."""
        headers = self.headers
        if self.kind.status == 401:
            headers = {"WWW-Authenticate": 'Bearer realm="radiuscore"'} | headers
        body = dumps(self.to_json())
        return web.Response(body=body, status=self.kind.status, content_type=CONTENT_TYPE, headers=headers)


def invalid(field: str, message: str, *, code: str = "value_error", where: str = "body") -> Problem:
    """Return the problem of one field that only the database, or another field, could judge."""
    return Problem("validation_failed", faults=[Fault(where, field, code, message)])
