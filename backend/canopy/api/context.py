"""The parts of the application that routes work with."""

import asyncio
from dataclasses import dataclass, field

from canopy.api.readiness import Readiness
from canopy.auth.budgets import StorageBudgets
from canopy.auth.limits import RateLimits
from canopy.auth.proxy_secret import ProxySecret
from canopy.auth.sessions import BrowserSessions
from canopy.auth.token_guesses import TokenGuessLimiter
from canopy.auth.tokens import Tokens
from canopy.base.cached_call import CachedCall
from canopy.base.lifecycle import Lifecycle
from canopy.base.settings import Settings
from canopy.config.source import ConfigSource
from canopy.experiments.aftermath import AftermathWatch
from canopy.experiments.ballots import BallotRecorder
from canopy.experiments.comparison import ComparisonRunner
from canopy.feedback.votes import VoteRecorder
from canopy.generation.pipeline import Pipeline
from canopy.inference.protocol import ServerState
from canopy.inference.reloading import ReloadableInference
from canopy.judges.agreement import AgreementReports
from canopy.judges.online import OnlineJudging
from canopy.reviews.reviews import ReviewRecorder
from canopy.store.store import Store
from canopy.telemetry import Telemetry

_PAGES_AT_ONCE = 4  # pages with whole texts, which take memory


@dataclass(frozen=True, slots=True)
class AppContext:
    """Every part of the application; `canopy.app` makes them."""

    settings: Settings
    config: ConfigSource
    store: Store
    inference: ReloadableInference
    model_state: CachedCall[ServerState]  # of the model server, a few seconds old at most
    pipeline: Pipeline
    judging: OnlineJudging
    agreements: AgreementReports
    votes: VoteRecorder
    comparisons: ComparisonRunner
    ballots: BallotRecorder
    reviews: ReviewRecorder
    telemetry: Telemetry
    lifecycle: Lifecycle
    readiness: Readiness
    tokens: Tokens | None  # None where no file is set
    proxy_secret: ProxySecret | None  # None where no file is set
    sessions: BrowserSessions | None  # None without tokens
    guesses: TokenGuessLimiter
    limits: RateLimits
    budgets: StorageBudgets
    aftermath: AftermathWatch
    page_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PAGES_AT_ONCE))
