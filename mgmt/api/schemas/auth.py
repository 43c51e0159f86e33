"""Logging in, and what belongs to it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from mgmt.api.schemas.base import Body, Email, Secret, Shown
from mgmt.api.schemas.users import ChosenPassword, Otp

AnyPassword = Annotated[str, Secret(4096)]


class Login(Body):
    """Who logs in. ``otp`` is a one-time password, or a recovery code, of those who have enabled it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "admin@example.com", "password": "correct horse battery"}]}
    )

    email: Email
    password: AnyPassword
    otp: Otp | None = None


class Refresh(Body):
    """The refresh token, which is used up by this."""

    refresh_token: Annotated[str, Secret(200)]


class Tokens(Shown):
    """Two tokens. ``expires_in`` is of the access token, in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int


class Me(Shown):
    """Who asks. An API key has no user."""

    role: Literal["admin", "isp_admin", "isp_staff", "api_key"]
    isp_id: int | None
    user_id: int | None
    email: str | None
    first_name: str
    last_name: str
    mfa_enabled: bool


class NewPassword(Body):
    """One's own password, and the one to replace it."""

    current_password: AnyPassword
    new_password: ChosenPassword


class Confirmation(Body):
    """One's own password, so that a browser left open is not enough."""

    password: AnyPassword


class OtpConfirmation(Body):
    """A one-time password of the app that was set up."""

    otp: Otp


class MfaRemoval(Body):
    """One's own password and a one-time password or recovery code."""

    password: AnyPassword
    otp: Otp


class MfaSetup(Shown):
    """What an authenticator app needs; shown this once. ``qr_svg`` is ``uri`` as an image."""

    secret: str
    uri: str
    qr_svg: str


class RecoveryCodes(Shown):
    """What replaces a lost telephone, each once; shown this once."""

    recovery_codes: Annotated[list[str], Field(min_length=1)]
