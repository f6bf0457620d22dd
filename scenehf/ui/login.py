"""Who has logged in: with the owner's name and password, or on a Space with an account of Hugging Face.

/scenehf/me   GET: what the bar of a shared app shows of the visitor
"""

import time

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from scenehf.ui.visitors import Sharing, visitor_of

ME = "/scenehf/me"


class SignInBlocks(gr.Blocks):  # type: ignore[misc]
    """Blocks for which Gradio has the routes of Hugging Face's sign-in. The link to them is in our own bar: Gradio's
    button would bring a function along that anybody may call."""

    @property
    def expects_oauth(self) -> bool:
        """Always."""
        return True


def signed_in(scope: Scope) -> str | None:
    """As whom a request has logged in, by what Gradio keeps of it."""
    gradio = scope["app"]
    if getattr(gradio, "auth", None):
        cookies = Request(scope).cookies
        names = (f"access-token-{gradio.cookie_id}", f"access-token-unsecure-{gradio.cookie_id}")
        return next(
            (gradio.tokens[cookies[name]] for name in names if cookies.get(name) in gradio.tokens), None
        )
    known = scope.get("session", {}).get("oauth_info")
    if not known or known.get("expires_at", 0) < time.time():
        return None
    return str(known["userinfo"]["preferred_username"])


def bar(template: str, sharing: Sharing) -> str:
    """The bar of the page, with a link to sign in or out where people do. It opens a window of its own, because
    Hugging Face shows a Space in a frame in which no one can sign in."""
    if not (sharing.oauth or sharing.account):
        return template
    oauth = ' data-oauth="1"' if sharing.oauth else ""
    link = f'href="login/huggingface" target="_blank" rel="noopener"{oauth}'
    return template.replace("<!--account-->", f'<a class="shf-quiet shf-account" {link} hidden>Sign in</a>')


def routes(sharing: Sharing) -> list[Route]:
    """The route above."""

    def me(request: Request) -> Response:
        visitor = visitor_of(request)
        told = {"name": visitor.name, "owner": visitor.owner, "oauth": sharing.oauth}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    return [Route(ME, me)]
