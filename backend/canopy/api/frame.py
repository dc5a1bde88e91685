"""The frame of every HTML page: who looks at it, where they may go, and what a page without content says."""

from functools import cache, partial
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from canopy import __version__
from canopy.api.access import identity_of
from canopy.api.context import AppContext
from canopy.config.features import BUILT_IN, Feature
from canopy.text.yaml_scalars import in_section
from canopy.ui.features import label_of, page_of, words_of
from canopy.ui.rendering import Renderer


def html(context: AppContext, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page. Its template gets `values`, and what the frame shows."""
    config = context.config.current
    frame = {
        "version": __version__,
        "revision": config.revision,
        "git_revision": config.git_revision,
        "auth": config.values.auth,
        "who": identity_of(request.scope),
        "feedback_on": config.flags["feedback"].on,
        "reviews": may_review(context, request),
        "features": features_in_navigation(context),
        "feature_label": partial(label_of, features=config.features),
    }
    page = renderer().page(template, {**frame, **values})
    # Pages hold users' texts, and one address answers HTML and JSON.
    return HTMLResponse(page, status, {"cache-control": "no-store", "vary": "Accept"})


def wants_html(request: Request) -> bool:
    """Return whether the client is a browser that wants a page."""
    return request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")


def features_in_navigation(context: AppContext) -> list[Feature]:
    """Return the features that pages link to: those that are enabled, or else the built-in one."""
    features = context.config.current.features
    return [it for it in features.values() if it.name == it.flag and it.enabled] or [features[BUILT_IN]]


def may_review(context: AppContext, request: Request) -> bool:
    """Return whether the client may read what people wrote."""
    identity = identity_of(request.scope)
    return identity.may("reviewer") if identity else context.config.current.values.auth.mode == "open"


def switched_off(context: AppContext, request: Request, flag: str, title: str, section: str) -> Response:
    """Return the page of a feature that is switched off, which is no error. It says how to switch it on."""
    flags = context.config.current.flags
    first = next((feature for feature in features_in_navigation(context) if flags[feature.flag].on), None)
    link, link_text = "/feedback", "To the feedback"
    if flag == "feedback":
        link, link_text = (page_of(first), words_of(first).heading) if first else ("", "")
    elif not flags["feedback"].on or not may_review(context, request):
        link = ""
    return html(
        context,
        request,
        "message.html",
        current=flag,
        title=f"{title} is switched off",
        sentence=f"{'Everything else works. ' if link else ''}To switch it on, set this in the Helm values:",
        hint="It is live within seconds of the values file changing. Nothing needs a restart.",
        snippet=in_section(section, ["enabled: true"]).rstrip(),
        link=link or None,
        link_text=link_text,
        code=None,
        request_id=None,
    )


def feedback_switched_off(context: AppContext, request: Request) -> Response | None:
    """Return the page that says how to switch feedback on; None where it is on."""
    if context.config.current.flags["feedback"].on:
        return None
    return switched_off(context, request, "feedback", "Feedback", "feedback")


@cache
def renderer() -> Renderer:
    """Return the templates and static files."""
    return Renderer()
