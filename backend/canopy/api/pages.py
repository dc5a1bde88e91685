"""HTML pages: of features, the feedback dashboard, sign-in and errors; and their static files."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from canopy import __version__
from canopy.api.access import identity_of
from canopy.api.context import AppContext
from canopy.api.filters import PageQuery
from canopy.api.listing import read_excerpts
from canopy.api.requests import trace_id_of
from canopy.api.routes import FEATURE_PATH, FeaturePageRoute, PlainRoute, feature_name_of
from canopy.config.features import BUILT_IN, Feature, modes_of
from canopy.config.flags import comparison_flag
from canopy.experiments.report import selected_experiment
from canopy.feedback.statistics import satisfaction_filter
from canopy.store.feedback.query import Feedback, Filter
from canopy.store.judges.judgement import JudgeLabel, PersonVote
from canopy.text.yaml_scalars import in_section
from canopy.ui.experiments import ExperimentData, experiments_to_count, section
from canopy.ui.features import label_of, page_of, words_of
from canopy.ui.feedback import dashboard as dashboard_view
from canopy.ui.feedback import shown_prompts
from canopy.ui.rendering import EXCERPT, Renderer
from canopy.ui.summary import OwnResponse, producer_sentence, title_of, vote_sentence

_ENTRIES = 25  # on a page of the dashboard
_COMPARISONS = 10
_FOR_EVER = "public, max-age=31536000, immutable"
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


async def dashboard(context: AppContext, request: Request, where: Filter, query: PageQuery) -> Response:
    """Return the feedback page; if feedback is off, a page that says how to switch it on."""
    config = context.config.current
    if not config.flags["feedback"].on:
        return _disabled(context, request, "feedback", "Feedback", "feedback")
    scope = Filter(feature=where.feature, since=where.since, until=where.until)
    counts = await context.store.feedback.counts(scope)
    hours = await context.store.feedback.hours(satisfaction_filter(replace(scope, prompt_id=where.prompt_id)))
    texts = await context.store.generations.prompt_texts(shown_prompts(counts))
    shown = await read_excerpts(context, where, query, _ENTRIES, EXCERPT)
    judges = await context.agreements.current()
    compared = await _experiment_data(context, where.feature, request.query_params)
    first = _in_navigation(context)[0]

    def draw() -> Response:
        view = dashboard_view(
            request.query_params,
            where,
            counts=counts,
            hours=hours,
            texts=texts,
            page=shown.page,
            found=shown.total,
            judges=judges,
            features=config.features,
            now=time.time_ns() // 1000,
            origin=str(request.base_url).rstrip("/"),
            review_limit=context.settings.max_prompt_chars,
        )
        ab = section(request.query_params, config, where.feature, compared)
        return _html(
            context,
            request,
            "dashboard.html",
            current="feedback",
            view=view,
            ab=ab,
            first=words_of(first),
            first_href=page_of(first),
            labels=shown.labels,
            votes=shown.votes,
        )

    # A year of hourly counts takes some 200 ms of arithmetic, which must not hold up the streams.
    return await asyncio.to_thread(draw)


def whole_entry(
    context: AppContext, request: Request, feedback: Feedback, labels: Sequence[JudgeLabel], votes: Sequence[PersonVote]
) -> Response:
    """Return the page of one vote with its whole texts."""
    return _html(context, request, "entry.html", current="feedback", feedback=feedback, labels=labels, votes=votes)


def own_response(context: AppContext, request: Request, it: OwnResponse | None) -> Response:
    """Return the page of a response for its author; with None, one that asks for it with the browser's session."""
    features = context.config.current.features
    feature = features.get(it.generation.feature) if it is not None else None
    return _html(
        context,
        request,
        "generation.html",
        current=None,
        it=it,
        title=title_of(it, words_of(feature).noun if feature else "answer"),
        vote_sentence=vote_sentence(it) if it is not None else "",
        producer=producer_sentence(it.generation, label_of(it.generation.feature, features)) if it is not None else "",
        back=page_of(feature) if feature else None,
        back_text=words_of(feature).heading if feature else "",
    )


async def _experiment_data(
    context: AppContext, feature: str | None, params: Mapping[str, str]
) -> ExperimentData | None:
    """Read the data of the dashboard's section on experiments, of one feature or all; None before the first one."""
    store = context.store
    experiments = [it for it in await store.experiments.all() if feature is None or feature in modes_of(it.feature)]
    shown = selected_experiment(experiments, params.get("experiment") or None)
    if shown is None:
        return None
    ids = experiments_to_count(experiments, shown)
    counts = await asyncio.gather(*(store.experiments.ballot_counts(experiment_id) for experiment_id in ids))
    ballots = await asyncio.gather(*(store.experiments.first_ballots(experiment_id) for experiment_id in ids))
    async with context.page_slots:
        page = await store.experiments.ballots(shown.id, _COMPARISONS, params.get("ab_cursor") or None)
    return ExperimentData(
        experiments, shown, dict(zip(ids, counts, strict=True)), dict(zip(ids, ballots, strict=True)), page
    )


def wants_html(request: Request) -> bool:
    """Return whether the client is a browser that wants a page."""
    return request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")


def error_page(
    context: AppContext, request: Request, status: int, sentence: str, code: str, headers: Mapping[str, str] | None
) -> Response:
    """Return an error as a page, with the same status as its JSON response."""
    on_feedback = request.url.path == "/feedback" and status != 403
    response = _html(
        context,
        request,
        "message.html",
        status=status,
        current="feedback" if on_feedback else None,
        title=_TITLES.get(status, "Something went wrong"),
        sentence=sentence,
        hint=None,
        snippet=None,
        link="/feedback" if on_feedback else page_of(_in_navigation(context)[0]),
        link_text="All feedback" if on_feedback else "To the first page",
        code=code,
        request_id=trace_id_of(request.scope),
    )
    response.headers.update(headers or {})
    return response


def sign_in_address(context: AppContext, request: Request) -> str | None:
    """Return the URL at which a browser signs in and then returns; None if sign-in is not Canopy's."""
    if context.config.current.values.auth.mode != "token":
        return None
    wanted = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return f"/sign-in?next={quote(wanted)}"


def sign_in(context: AppContext, request: Request, target: str) -> Response:
    """Return the page that asks for a token and then leads to `target`."""
    return _html(context, request, "sign_in.html", current=None, target=target)


def _feature(context: AppContext, request: Request) -> Response:
    context.inference.warm_up()  # whoever reads the page is about to ask
    config = context.config.current
    feature = config.features[feature_name_of(request)]
    if not config.flags[feature.flag].on:
        return _disabled(context, request, feature.flag, feature.title, feature.section)
    values = config.values
    return _html(
        context,
        request,
        "feature.html",
        current=feature.flag,
        feature=feature,
        words=words_of(feature),
        model=context.inference.model_name(feature.model),
        embedded=values.LLAMA_STACK_URL is None,
        limit=context.settings.max_prompt_chars,
        feedback=config.flags["feedback"].on,
        ab_testing=comparison_flag(feature, values).on,
        reasons=values.feedback.reasons,
        comment_limit=context.settings.max_comment_chars,
    )


def _disabled(context: AppContext, request: Request, flag: str, title: str, section: str) -> Response:
    """Return the page of a feature that is switched off, which is no error. It says how to switch it on."""
    flags = context.config.current.flags
    first = next((feature for feature in _in_navigation(context) if flags[feature.flag].on), None)
    link, link_text = "/feedback", "To the feedback"
    if flag == "feedback":
        link, link_text = (page_of(first), words_of(first).heading) if first else ("", "")
    elif not flags["feedback"].on or not _may_review(context, request):
        link = ""
    return _html(
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


def _in_navigation(context: AppContext) -> list[Feature]:
    """Return the features that pages link to: those that are enabled, or else the built-in one."""
    features = context.config.current.features
    return [it for it in features.values() if it.name == it.flag and it.enabled] or [features[BUILT_IN]]


def _may_review(context: AppContext, request: Request) -> bool:
    """Return whether the client may read what people wrote."""
    identity = identity_of(request.scope)
    return identity.may("reviewer") if identity else context.config.current.values.auth.mode == "open"


def _html(context: AppContext, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    config = context.config.current
    frame = {
        "version": __version__,
        "revision": config.revision,
        "auth": config.values.auth,
        "who": identity_of(request.scope),
        "reviews": _may_review(context, request),
        "features": _in_navigation(context),
        "feature_label": partial(label_of, features=config.features),
    }
    page = _renderer().page(template, {**frame, **values})
    # Pages hold users' texts, and one address answers HTML and JSON.
    return HTMLResponse(page, status, {"cache-control": "no-store", "vary": "Accept"})


async def _static(request: Request) -> Response:
    renderer = _renderer()
    asset = renderer.assets.get(request.path_params["name"])
    if asset is None:
        return Response("There is no such file.", 404, media_type="text/plain")
    # A page of another version, open during a rollout, gets this version's file but must not cache it under its URL.
    current = request.path_params["version"] == renderer.version
    headers = {"etag": asset.etag, "cache-control": _FOR_EVER if current else "no-cache"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@cache
def _renderer() -> Renderer:
    return Renderer()
