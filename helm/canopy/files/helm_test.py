"""What `helm test` runs: the flags, a summary and a vote, as a client asks for them.

Needs nothing but Python's own library. The first thing that fails ends it with status 1 and a sentence; the vote is
taken back, so that no statistic counts it.
"""

import json
import sys
import urllib.error
import urllib.request
from typing import Any

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


def say(sentence: str) -> None:
    """One line of the pod's log."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def failed(sentence: str) -> None:
    """End the process."""
    say(f"FAILED  {sentence}")
    sys.exit(1)


def main(url: str) -> None:
    """Ask one after the other."""
    flags = ask("GET", f"{url}/feature-flags")
    say(f"ok      flags: {flags}")
    if not flags["summarize"]:
        return say("skipped the summary and the vote: summarize is off")
    summary = ask("POST", f"{url}/summarize", {"prompt": "Canopy summarizes this text in a test.", "stream": False})
    say(f"ok      summary: generation {summary['generation_id']}")
    if not flags["feedback"]:
        return say("skipped the vote: feedback is off")
    vote = {"generation_id": summary["generation_id"], "rating": "thumbs_up", "comment": "helm test"}
    feedback_id = ask("POST", f"{url}/feedback", vote)["feedback_id"]
    ask("DELETE", f"{url}/feedback/{feedback_id}")
    return say(f"ok      vote: {feedback_id}, taken back")


if __name__ == "__main__":
    main(sys.argv[1])
