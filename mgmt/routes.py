"""The one table of the API: method, path, handler, who may. Code, OpenAPI description and tests are made of it."""

from typing import Final

from mgmt.api import (
    auth,
    customer_insight,
    customers,
    device_connections,
    device_doctor,
    devices,
    insight,
    isp_keys,
    isps,
    plans,
    users,
)
from mgmt.api.schemas import auth as auth_schemas
from mgmt.api.schemas import customer_insight as customer_insight_schemas
from mgmt.api.schemas import customers as customer_schemas
from mgmt.api.schemas import device_connections as connection_schemas
from mgmt.api.schemas import devices as device_schemas
from mgmt.api.schemas import insight as insight_schemas
from mgmt.api.schemas import isps as isp_schemas
from mgmt.api.schemas import plans as plan_schemas
from mgmt.api.schemas import users as user_schemas
from mgmt.roles import ADMINS, ANYONE, EDITORS, MANAGERS, PEOPLE
from mgmt.routing import Route

ID: Final = r"{id:\d{1,19}}"
UUID: Final = r"{id:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}}"

_AUTH: Final = (
    Route("POST", "/api/auth/login", auth.log_in, None, "auth", body=auth_schemas.Login, answer=auth_schemas.Tokens),
    Route(
        "POST", "/api/auth/refresh", auth.refresh, None, "auth", body=auth_schemas.Refresh, answer=auth_schemas.Tokens
    ),
    Route("POST", "/api/auth/logout", auth.log_out, PEOPLE, "auth", status=204),
    Route("GET", "/api/auth/me", auth.show_me, ANYONE, "auth", answer=auth_schemas.Me),
    Route(
        "POST", "/api/auth/password", auth.change_password, PEOPLE, "auth", body=auth_schemas.NewPassword, status=204
    ),
    Route(
        "POST",
        "/api/auth/mfa/setup",
        auth.set_up_mfa,
        PEOPLE,
        "auth",
        body=auth_schemas.Confirmation,
        answer=auth_schemas.MfaSetup,
    ),
    Route(
        "POST",
        "/api/auth/mfa/enable",
        auth.enable_mfa,
        PEOPLE,
        "auth",
        body=auth_schemas.OtpConfirmation,
        answer=auth_schemas.RecoveryCodes,
    ),
    Route("POST", "/api/auth/mfa/disable", auth.disable_mfa, PEOPLE, "auth", body=auth_schemas.MfaRemoval, status=204),
)

_ISPS: Final = (
    Route("GET", "/api/isps", isps.list_isps, ADMINS, "isps", query=isp_schemas.IspQuery, answer=isp_schemas.IspPage),
    Route(
        "POST",
        "/api/isps",
        isps.create_isp,
        ADMINS,
        "isps",
        body=isp_schemas.NewIsp,
        answer=isp_schemas.IspCreated,
        status=201,
        remembers=True,
    ),
    Route("GET", f"/api/isps/{ID}", isps.get_isp, ANYONE, "isps", answer=isp_schemas.IspShown),
    Route(
        "PATCH",
        f"/api/isps/{ID}",
        isps.change_isp,
        MANAGERS,
        "isps",
        body=isp_schemas.IspPatch,
        answer=isp_schemas.IspShown,
    ),
    Route("DELETE", f"/api/isps/{ID}", isps.delete_isp, ADMINS, "isps", status=204),
    Route("GET", f"/api/isps/{ID}/stats", isp_keys.show_stats, ANYONE, "isps", answer=isp_schemas.IspStats),
    Route(
        "POST",
        f"/api/isps/{ID}/rotate-api-key",
        isp_keys.rotate_api_key,
        MANAGERS,
        "isps",
        body=isp_schemas.Rotation,
        answer=isp_schemas.NewApiKey,
        remembers=True,
    ),
    Route(
        "POST",
        f"/api/isps/{ID}/rotate-radius-secret",
        isp_keys.rotate_radius_secret,
        MANAGERS,
        "isps",
        body=isp_schemas.Rotation,
        answer=isp_schemas.NewRadiusSecret,
        remembers=True,
    ),
)

_USERS: Final = (
    Route(
        "GET",
        "/api/users",
        users.list_users,
        MANAGERS,
        "users",
        query=user_schemas.UserQuery,
        answer=user_schemas.UserPage,
    ),
    Route(
        "POST",
        "/api/users",
        users.create_user,
        MANAGERS,
        "users",
        body=user_schemas.NewUser,
        answer=user_schemas.UserShown,
        status=201,
        remembers=True,
    ),
    Route("GET", f"/api/users/{ID}", users.get_user, MANAGERS, "users", answer=user_schemas.UserShown),
    Route(
        "PATCH",
        f"/api/users/{ID}",
        users.change_user,
        MANAGERS,
        "users",
        body=user_schemas.UserPatch,
        answer=user_schemas.UserShown,
    ),
    Route("DELETE", f"/api/users/{ID}", users.delete_user, MANAGERS, "users", status=204),
)

_DEVICES: Final = (
    Route(
        "GET",
        "/api/devices",
        devices.list_devices,
        ANYONE,
        "devices",
        query=device_schemas.DeviceQuery,
        answer=device_schemas.DevicePage,
    ),
    Route(
        "POST",
        "/api/devices",
        devices.create_device,
        EDITORS,
        "devices",
        body=device_schemas.NewDevice,
        answer=device_schemas.DeviceShown,
        status=201,
        remembers=True,
    ),
    Route("GET", f"/api/devices/{ID}", devices.get_device, ANYONE, "devices", answer=device_schemas.DeviceShown),
    Route(
        "PATCH",
        f"/api/devices/{ID}",
        devices.change_device,
        EDITORS,
        "devices",
        body=device_schemas.DevicePatch,
        answer=device_schemas.DeviceShown,
    ),
    Route("DELETE", f"/api/devices/{ID}", devices.delete_device, EDITORS, "devices", status=204),
    Route(
        "POST",
        f"/api/devices/{ID}/test-connection",
        device_connections.test_device_connection,
        ANYONE,
        "devices",
        body=connection_schemas.ConnectionBody,
        answer=connection_schemas.ConnectionShown,
    ),
    Route(
        "POST",
        f"/api/devices/{ID}/sync",
        device_connections.sync_device,
        ANYONE,
        "devices",
        body=connection_schemas.ConnectionBody,
        answer=connection_schemas.SyncShown,
    ),
    Route(
        "GET",
        f"/api/devices/{ID}/interfaces",
        device_connections.list_device_interfaces,
        ANYONE,
        "devices",
        query=connection_schemas.ConnectionQuery,
        answer=connection_schemas.InterfacesShown,
    ),
    Route(
        "POST",
        f"/api/devices/{ID}/doctor",
        device_doctor.examine_device,
        ANYONE,
        "devices",
        query=connection_schemas.DoctorQuery,
        answer=connection_schemas.DoctorShown,
    ),
)

_CUSTOMERS: Final = (
    Route(
        "GET",
        "/api/customers",
        customers.list_customers,
        ANYONE,
        "customers",
        query=customer_schemas.CustomerQuery,
        answer=customer_schemas.CustomerPage,
    ),
    Route(
        "POST",
        "/api/customers",
        customers.create_customer,
        EDITORS,
        "customers",
        body=customer_schemas.NewCustomer,
        answer=customer_schemas.CustomerShown,
        status=201,
        remembers=True,
    ),
    Route(
        "GET",
        f"/api/customers/{ID}",
        customers.get_customer,
        ANYONE,
        "customers",
        answer=customer_schemas.CustomerShown,
    ),
    Route(
        "PATCH",
        f"/api/customers/{ID}",
        customers.change_customer,
        ANYONE,
        "customers",
        body=customer_schemas.CustomerPatch,
        answer=customer_schemas.CustomerShown,
    ),
    Route("DELETE", f"/api/customers/{ID}", customers.delete_customer, EDITORS, "customers", status=204),
    Route(
        "POST",
        f"/api/customers/{ID}/explain",
        customer_insight.explain_customer,
        ANYONE,
        "customers",
        body=customer_insight_schemas.Question,
        answer=customer_insight_schemas.ExplanationShown,
    ),
    Route(
        "GET",
        f"/api/customers/{ID}/sessions",
        customer_insight.list_customer_sessions,
        ANYONE,
        "customers",
        query=customer_insight_schemas.CustomerSessionQuery,
        answer=insight_schemas.SessionPage,
    ),
    Route(
        "GET",
        f"/api/customers/{ID}/usage",
        customer_insight.show_customer_usage,
        ANYONE,
        "customers",
        query=customer_insight_schemas.UsageQuery,
        answer=customer_insight_schemas.UsageReport,
    ),
)

_PLANS: Final = (
    Route(
        "GET",
        "/api/service-plans",
        plans.list_plans,
        ANYONE,
        "service plans",
        query=plan_schemas.PlanQuery,
        answer=plan_schemas.PlanPage,
    ),
    Route(
        "POST",
        "/api/service-plans",
        plans.create_plan,
        EDITORS,
        "service plans",
        body=plan_schemas.NewPlan,
        answer=plan_schemas.PlanShown,
        status=201,
        remembers=True,
    ),
    Route("GET", f"/api/service-plans/{ID}", plans.get_plan, ANYONE, "service plans", answer=plan_schemas.PlanShown),
    Route(
        "PATCH",
        f"/api/service-plans/{ID}",
        plans.change_plan,
        EDITORS,
        "service plans",
        body=plan_schemas.PlanPatch,
        answer=plan_schemas.PlanShown,
    ),
    Route("DELETE", f"/api/service-plans/{ID}", plans.delete_plan, EDITORS, "service plans", status=204),
)

_INSIGHT: Final = (
    Route(
        "GET",
        "/api/sessions",
        insight.list_sessions,
        ANYONE,
        "sessions",
        query=insight_schemas.SessionQuery,
        answer=insight_schemas.SessionPage,
    ),
    Route("GET", f"/api/sessions/{UUID}", insight.get_session, ANYONE, "sessions", answer=insight_schemas.SessionShown),
    Route(
        "GET",
        "/api/rejects",
        insight.list_rejects,
        ANYONE,
        "insight",
        query=insight_schemas.RejectQuery,
        answer=insight_schemas.RejectPage,
    ),
    Route(
        "GET",
        "/api/audit",
        insight.list_audit,
        MANAGERS,
        "insight",
        query=insight_schemas.AuditQuery,
        answer=insight_schemas.AuditPage,
    ),
)

ROUTES: Final = (*_AUTH, *_ISPS, *_USERS, *_DEVICES, *_CUSTOMERS, *_PLANS, *_INSIGHT)
