"""What `helm test` runs: readiness, the flags, an answer and a vote, as a client asks for them.

Where people sign in, it has no identity: then it asks whether it is refused.

Needs nothing but Python's own library. The first thing that fails ends it with status 1 and a sentence; the vote is
taken back, so that no statistic counts it.
"""

import json
import sys
import urllib.error
import urllib.request
from typing import Any, NoReturn

_PATIENCE = 120  # seconds for an answer; a cold model server takes its time


def ask(method: str, address: str, body: dict[str, Any] | None = None) -> Any:
    """The answer's JSON. Ends the process when there is none."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Session-Id": "helm-test"}
    request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - the chart's own Service
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as response:  # noqa: S310 - as above
            return json.load(response)
    except urllib.error.HTTPError as error:
        failed(f"{method} {address} answered {error.code}: {error.read().decode(errors='replace')}")
    except (OSError, ValueError) as error:
        failed(f"{method} {address} got no answer: {error}")


class _Here(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: one to a page where people sign in is an answer."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Nowhere."""


def ask_as_nobody(address: str) -> int:
    """The status for a summary without an identity. Ends the process when there is no answer."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    body = json.dumps({"prompt": "Nobody may ask this.", "stream": False}).encode()
    request = urllib.request.Request(address, body, headers, method="POST")  # noqa: S310 - the chart's own Service
    try:
        with urllib.request.build_opener(_Here).open(request, timeout=_PATIENCE) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        failed(f"POST {address} got no answer: {error}")


def say(sentence: str) -> None:
    """One line of the pod's log, without what the terminal that shows it would obey."""
    sys.stdout.write("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in sentence) + "\n")
    sys.stdout.flush()


def failed(sentence: str) -> NoReturn:
    """End the process."""
    say(f"FAILED  {sentence}")
    sys.exit(1)


def main(url: str, operations: str, mode: str, *features: str) -> None:
    """Ask one after the other. `features` are those beside summaries, of which one is asked where these are off."""
    ask("GET", f"{operations}/readyz")
    say("ok      ready")
    if mode != "open":
        status = ask_as_nobody(f"{url}/summarize")
        if status not in {302, 401, 403}:
            failed(f"POST {url}/summarize without an identity was answered with {status}, not refused")
        return say(f"ok      refused without an identity: {status} (auth.mode is {mode})")
    flags = ask("GET", f"{url}/feature-flags")
    say(f"ok      flags: {flags}")
    feature = next((name for name in ["summarize", *features] if flags.get(name)), None)
    if feature is None:
        return say("skipped the answer and the vote: no feature is on")
    answer = ask("POST", f"{url}/{feature}", {"prompt": "Canopy is asked this text in a test.", "stream": False})
    say(f"ok      {feature}: generation {answer['generation_id']}")
    if not flags["feedback"]:
        return say("skipped the vote: feedback is off")
    vote = {"generation_id": answer["generation_id"], "rating": "thumbs_up", "comment": "helm test"}
    feedback_id = ask("POST", f"{url}/feedback", vote)["feedback_id"]
    ask("DELETE", f"{url}/feedback/{feedback_id}")
    return say(f"ok      vote: {feedback_id}, taken back")


if __name__ == "__main__":
    main(*sys.argv[1:])
