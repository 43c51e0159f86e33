"""The API's description for programs and people: /openapi.json, and /docs, which loads nothing from the internet."""

from pathlib import Path
from typing import Final

from aiohttp import web
from orjson import dumps

from mgmt.openapi import describe
from mgmt.routes import ROUTES

UI: Final = Path(__file__).parent / "static" / "swagger-ui"
# Its scripts are files of ours; its styles stand in its elements.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
FILES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
}


def add_docs(app: web.Application) -> None:
    """Add the description to an application."""
    description = dumps(describe(ROUTES))

    async def answer_description(request: web.Request) -> web.Response:
        return web.Response(body=description, content_type="application/json")

    app.router.add_get("/openapi.json", answer_description)
    app.router.add_get("/docs", _answer_page)
    app.router.add_get("/docs/{file}", _answer_file)


async def _answer_page(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(UI / "index.html", headers={"Content-Security-Policy": POLICY, "Content-Type": "text/html"})


async def _answer_file(request: web.Request) -> web.StreamResponse:
    name = request.match_info["file"]
    if name not in FILES:
        raise web.HTTPNotFound
    headers = {"Content-Type": f"{FILES[name]}; charset=utf-8", "Cache-Control": "public, max-age=3600"}
    return web.FileResponse(UI / name, headers=headers)
