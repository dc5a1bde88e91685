"""Llama Stack's scoring API, which OGX, its successor, and other model servers don't have."""

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from canopy.base.errors import ModelError, ModelTimeout
from canopy.base.settings import Settings
from canopy.inference.protocol import ADDRESS
from canopy.inference.reasons import fit

if TYPE_CHECKING:
    from canopy.inference.upstream import Upstream

# Seconds for one row. The server answers only when its judge is done, so there are no tokens to time.
_SCORE_TIMEOUT = 300


class ScoringApi:
    """The scoring API of the server at a URL, however that was pasted. Use it as an asynchronous context manager.

    `address` is the setting that the URL comes from.
    """

    def __init__(self, url: str, settings: Settings, address: str = ADDRESS) -> None:
        self._url = url
        self._settings = settings
        self._address = address
        self._upstream: Upstream

    async def __aenter__(self) -> Self:
        self._upstream = await asyncio.to_thread(self._connect)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._upstream.close()

    async def functions(self) -> set[str]:
        """The names of the server's scoring functions. Raises ModelError, also where it has no scoring API."""
        try:
            async with asyncio.timeout(self._settings.model_first_token_timeout):
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
        """What the function makes of a row. Raises ModelError.

        `params` are always sent: where none are, the server takes those of the call before, whoever made it.
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
            failure.reason = fit(failure.reason or "", row.values(), [self._upstream.secret]) or None
            raise failure from error
        except UnicodeEncodeError:  # the row's own, which can't be sent: the server is not to blame
            raise
        except (IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError("The server's answer doesn't hold a score.") from error

    def _connect(self) -> "Upstream":
        # Imported late and in a thread, as `llama_stack.py` does and for its reason.
        upstream: type[Upstream] = import_module("canopy.inference.upstream").Upstream
        return upstream(
            self._url,
            connect_timeout=self._settings.model_connect_timeout,
            retries=self._settings.model_retries,
            address=self._address,
        )
