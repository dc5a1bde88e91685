"""HTML pages of features, of sign-in and of errors; and the pages' static files."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from canopy.api.bodies import MOST_SUGGESTED
from canopy.api.context import AppContext
from canopy.api.filters import FeedbackQuery
from canopy.api.frame import features_in_navigation, html, renderer, switched_off
from canopy.api.requests import trace_id_of
from canopy.api.routes import FEATURE_PATH, FeaturePageRoute, PlainRoute, feature_name_of
from canopy.base.errors import WrongDates
from canopy.config.features import Feature
from canopy.config.flags import comparison_flag, differences
from canopy.ui.features import page_of, words_of
from canopy.ui.sections import section_at

_FOR_EVER = "public, max-age=31536000, immutable"
_OF_FEEDBACK = ("/feedback", "/experiments", "/promotions")  # addresses whose pages are about feedback
_PLACES = ("since", "until", "cursor", "ab_cursor", "seen", "back", "after", "at")  # days, and pages of lists of them
_TITLES = {
    401: "Please sign in",
    403: "Not allowed",
    404: "Nothing here",
    422: "That doesn't work",
    429: "Too often",
    503: "Not right now",
}


def page_routes(context: AppContext) -> list[BaseRoute]:
    """Return the routes of features' pages and of static files."""

    async def feature(request: Request) -> Response:
        return _feature(context, request)

    return [
        PlainRoute("/", feature),
        PlainRoute("/ui/{version}/{name}", _static),
        FeaturePageRoute(FEATURE_PATH, feature),
    ]


def error_page(
    context: AppContext, request: Request, status: int, sentence: str, code: str, headers: Mapping[str, str] | None
) -> Response:
    """Return an error as a page, with the same status as its JSON response."""
    on_feedback = request.url.path.startswith(_OF_FEEDBACK) and status != 403
    response = html(
        context,
        request,
        "message.html",
        status=status,
        current="feedback" if on_feedback else None,
        title=_TITLES.get(status, "Something went wrong"),
        sentence=sentence,
        hint=None,
        snippet=None,
        link="/feedback" if on_feedback else page_of(features_in_navigation(context)[0]),
        link_text="All feedback" if on_feedback else "To the first page",
        code=code,
        request_id=trace_id_of(request.scope),
    )
    response.headers.update(headers or {})
    return response


def wrong_dates_page(context: AppContext, request: Request, error: WrongDates) -> Response:
    """Return the error as a page about feedback: with the way to the others, and to the same one without the days."""
    path = request.url.path
    kept = [(name, value) for name, value in request.query_params.multi_items() if value and name not in _PLACES]
    return html(
        context,
        request,
        "wrong_dates.html",
        status=error.status,
        current="feedback",
        section=section_at(path),
        sections_query={name: value.strip() for name, value in kept if name in FeedbackQuery.model_fields},
        title=_TITLES[422],
        sentence=error.on_page,
        link=f"{path}?{urlencode(kept)}" if kept else path,
        code=error.code,
        request_id=trace_id_of(request.scope),
    )


def sign_in_address(context: AppContext, request: Request) -> str | None:
    """Return the URL at which a browser signs in and then returns; None if sign-in is not Canopy's."""
    if context.config.current.values.auth.mode != "token":
        return None
    wanted = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return f"/sign-in?next={quote(wanted)}"


def sign_in(context: AppContext, request: Request, target: str) -> Response:
    """Return the page that asks for a token and then leads to `target`."""
    return html(context, request, "sign_in.html", current=None, target=target)


def _feature(context: AppContext, request: Request) -> Response:
    context.inference.warm_up()  # whoever reads the page is about to ask
    config = context.config.current
    feature = config.features[feature_name_of(request)]
    if not config.flags[feature.flag].on:
        return switched_off(context, request, feature.flag, feature.title, feature.section)
    values = config.values
    return html(
        context,
        request,
        "feature.html",
        current=feature.flag,
        feature=feature,
        words=words_of(feature),
        model=_shown_model(context, feature),
        embedded=values.LLAMA_STACK_URL is None,
        limit=context.settings.max_prompt_chars,
        feedback=config.flags["feedback"].on,
        ab_testing=comparison_flag(feature, values).on,
        equal_pace=values.ab_testing.equal_pace,
        reasons=values.feedback.reasons,
        comment_limit=context.settings.max_comment_chars,
        suggestion_limit=MOST_SUGGESTED,
    )


def _shown_model(context: AppContext, feature: Feature) -> str:
    """Return the model's name, or words for it where people compare two: a name would tell who writes how."""
    values = context.config.current.values
    if comparison_flag(feature, values).on and "model" in differences(feature, values):
        return "The model"
    return context.inference.model_name(feature.model)


async def _static(request: Request) -> Response:
    files = renderer()
    asset = files.asset(request.path_params["name"])
    if asset is None:
        return Response("There is no such file.", 404, media_type="text/plain")
    # A page of another version, open during a rollout, gets this version's file but must not cache it under its URL.
    current = request.path_params["version"] == files.version
    headers = {"etag": asset.etag, "cache-control": _FOR_EVER if current else "no-cache"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
