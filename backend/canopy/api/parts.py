"""What the routes work with."""

import asyncio
from dataclasses import dataclass, field

from canopy.auth.budgets import Budgets
from canopy.auth.guesses import Guesses
from canopy.auth.limits import RateLimits
from canopy.auth.proxy_secret import ProxySecret
from canopy.auth.sessions import Sessions
from canopy.auth.tokens import Tokens
from canopy.comparison import Comparisons
from canopy.feedback.ballots import Ballots
from canopy.feedback.reviews import Reviews
from canopy.feedback.votes import Votes
from canopy.flags import ConfigSource
from canopy.inference.switching import SwitchingInference
from canopy.judges.agreement import Agreements
from canopy.judges.online import OnlineJudging
from canopy.lifecycle import Lifecycle
from canopy.pipeline import Pipeline
from canopy.readiness import Readiness
from canopy.settings import Settings
from canopy.store.base import Store
from canopy.telemetry import Telemetry

_PAGES = 4  # pages with texts that are read at once


@dataclass(frozen=True, slots=True)
class Parts:
    """Every part of the application, made by `canopy.app`."""

    settings: Settings
    config: ConfigSource
    store: Store
    inference: SwitchingInference
    pipeline: Pipeline
    judging: OnlineJudging
    agreements: Agreements
    votes: Votes
    comparisons: Comparisons
    ballots: Ballots
    reviews: Reviews
    telemetry: Telemetry
    lifecycle: Lifecycle
    readiness: Readiness
    tokens: Tokens | None  # None where no file is set
    proxy_secret: ProxySecret | None  # None where no file is set
    sessions: Sessions | None  # the same
    guesses: Guesses
    limits: RateLimits
    budgets: Budgets
    pages: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PAGES))
