"""Status: how this process is, with everything that it needs and has in force, as JSON or as a page.

It must answer when nothing else does: whatever has to be asked is asked at once and gets a few seconds, and a part that
doesn't answer says so.
"""

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from canopy import __version__
from canopy.api.context import AppContext
from canopy.api.description import describe_errors, describe_json_or_page
from canopy.api.experiments_in_force import experiments_in_force
from canopy.api.frame import html, wants_html
from canopy.api.routes import DescribedRoute, json_response
from canopy.base.errors import StoreError
from canopy.config.registered_prompts import prompt_sources
from canopy.judges.definitions import configured_judges
from canopy.store.engine.database import StoreSize
from canopy.store.store import Store
from canopy.telemetry.store_events import StoreAtRisk
from canopy.ui import status_parts
from canopy.ui.status import FlagStatus, JudgeStatus, StatusPayload, StatusReport, status_payload

_PATIENCE = 2.0  # seconds for each question to the store


def status_routes(context: AppContext) -> APIRouter:
    """Return the route of Status."""
    router = APIRouter(route_class=DescribedRoute, tags=["operations"])

    @router.get("/status", response_model=None, responses=describe_json_or_page(StatusPayload) | describe_errors())
    async def status(request: Request) -> Response:
        """How this process is, and what each part needs; with `Accept: text/html` as a page."""
        found = await _status(context)
        if wants_html(request):
            return html(context, request, "status.html", current="status", section="status", report=found)
        answer = json_response(status_payload(found))
        answer.headers["vary"] = "Accept"
        return answer

    return router


async def _status(context: AppContext) -> StatusReport:
    config, latest = context.config.current, context.telemetry.latest
    values, now, store = config.values, time.time_ns() // 1_000, context.store
    ready = await _within(context.readiness.report, True)
    answer = ready.checks["store"] if ready else f"The database did not answer within {_PATIENCE:g} seconds."
    judges = configured_judges(values, context.inference.model_name)
    there = answer == "ok"  # a database that doesn't answer isn't asked more
    server, size, backlog, labelled, experiments = await asyncio.gather(
        context.model_state(anew=True),  # whoever looks again wants to know how it is now
        _size(store, there),
        _within(store.outbox.backlog, there),
        _within(lambda: store.judgements.last_labelled([judge.name for judge in judges]), there),
        _within(lambda: experiments_in_force(context), there),
    )
    if isinstance(size, StoreError):  # connections that are open may go on in a file that was moved away
        answer, size = size.sentence, None
    agreements = {report.judge: report.sentence for report in context.agreements.known}
    risk = latest.of(StoreAtRisk)
    parts = (
        status_parts.values_part(config, str(context.config.path) if context.config.path else None, latest),
        status_parts.flags_part(config),
        status_parts.model_part(
            server,
            context.inference.description,
            status_parts.models_asked(config, context.inference.model_name),
            latest,
            now,
        ),
        status_parts.store_part(
            answer,
            store.description,
            store.schema,
            size,
            risk.event.problem if risk else None,
            store.feedback.indexer.left,
            latest,
            now,
        ),
        status_parts.outbox_part(config, backlog, latest, now),
        status_parts.prompts_part(config, [it.reference for it in prompt_sources(values).values()], latest),
        status_parts.judges_part(len(judges), latest, online=values.judging.online),
        status_parts.experiments_part(
            None if experiments is None else [it.status not in (None, "collecting") for it in experiments]
        ),
        status_parts.access_part(
            values.auth.mode, context.lifecycle.address, latest, outside=context.settings.reachable_from_outside
        ),
        status_parts.process_part(
            __version__, platform.python_version(), platform.node(), context.lifecycle.state, latest
        ),
    )
    return StatusReport(
        checked_at=now,
        parts=parts,
        flags=[FlagStatus(flag.name, flag.on, flag.reason) for flag in config.flags.values()],
        judges=[
            JudgeStatus(
                name=judge.name,
                version=judge.version,
                model=judge.model,
                sample=judge.sample,
                last_label=(labelled or {}).get(judge.name),
                agreement=agreements.get(judge.name, "Its agreement with people has not been counted yet."),
            )
            for judge in judges
        ],
        experiments=experiments or [],
        runbooks=context.settings.runbooks,
    )


async def _size(store: Store, there: bool) -> StoreSize | StoreError | None:
    """Return how large the store is, or why that can't be known; None where it isn't `there` or takes too long."""
    if not there:
        return None
    try:
        async with asyncio.timeout(_PATIENCE):
            return await store.size()
    except StoreError as error:
        return error
    except TimeoutError:
        return None


async def _within[R](ask: Callable[[], Awaitable[R]], there: bool) -> R | None:
    """Return the store's answer; None where it isn't `there`, fails or takes too long."""
    if not there:
        return None
    try:
        async with asyncio.timeout(_PATIENCE):
            return await ask()
    except (StoreError, TimeoutError):
        return None
