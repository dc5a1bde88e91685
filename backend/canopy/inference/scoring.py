"""Asks Llama Stack's scoring API, which OGX (its successor) and other model servers lack."""

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from canopy.base.errors import ModelError, ModelTimeout
from canopy.base.settings import Settings
from canopy.inference.protocol import URL_SETTING
from canopy.inference.redaction import redact

if TYPE_CHECKING:
    from canopy.inference.upstream import Upstream

# Seconds for one row. The server answers only when its judge is done: no tokens arrive before.
_SCORE_TIMEOUT = 300


class ScoringApi:
    """Asks the scoring API at a URL. Use it as an asynchronous context manager.

    `url_setting` is the name of the setting that holds the URL, for error messages.
    """

    def __init__(self, url: str, settings: Settings, url_setting: str = URL_SETTING) -> None:
        self._url = url
        self._settings = settings
        self._url_setting = url_setting
        self._upstream: Upstream

    async def __aenter__(self) -> Self:
        self._upstream = await asyncio.to_thread(self._connect)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._upstream.close()

    async def functions(self) -> set[str]:
        """Return the names of the server's scoring functions. Raises ModelError, also if it has no scoring API."""
        try:
            async with asyncio.timeout(self._settings.model_first_token_timeout_seconds):
                listed = await self._upstream.scoring_functions()
            return {function["identifier"] for function in listed["data"]}
        except TimeoutError as error:
            raise ModelTimeout("The server did not list its scoring functions in time.") from error
        except self._upstream.FAILURES as error:
            refusal = self._upstream.refusal(error)
            if refusal and refusal.status in (404, 405):
                raise ModelError("It has no scoring API.") from error
            raise self._upstream.translate(error, "") from error
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError("It has no scoring API.") from error

    async def score(self, function: str, params: Mapping[str, Any], row: Mapping[str, str]) -> dict[str, Any]:
        """Return a scoring function's result for one row. Raises ModelError.

        `params` are always sent: without them, the server reuses those of the previous call, whoever made it.
        """
        body = {"input_rows": [row], "scoring_functions": {function: params}}
        try:
            async with asyncio.timeout(_SCORE_TIMEOUT):
                answer = await self._upstream.score(body)
            return dict(**answer["results"][function]["score_rows"][0])
        except TimeoutError as error:
            raise ModelTimeout(f"The server gave no score within {_SCORE_TIMEOUT} seconds.") from error
        except self._upstream.FAILURES as error:
            failure = self._upstream.translate(error, str(params.get("judge_model")))
            failure.reason = redact(failure.reason or "", row.values(), [self._upstream.secret]) or None
            raise failure from error
        except UnicodeEncodeError:  # from the row's text, which can't be encoded
            raise
        except (IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError("The server's answer doesn't hold a score.") from error

    def _connect(self) -> "Upstream":
        # Imported late and in a thread, for the reason given in `llama_stack.py`.
        upstream: type[Upstream] = import_module("canopy.inference.upstream").Upstream
        return upstream(
            self._url,
            connect_timeout=self._settings.model_connect_timeout_seconds,
            retries=self._settings.model_retries,
            url_setting=self._url_setting,
        )
