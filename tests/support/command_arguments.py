"""What each command takes, for tests that run them all."""

# What each command is given so that it does its work and ends with status 0, by the names of its parameters.
ARGUMENTS: dict[str, dict[str, str]] = {
    "ab export": {},
    "ab report": {},
    "ab start": {"path": "deploy/config.yaml", "prompt_b": "Be brief.", "dry_run": ""},
    "ab simulate": {"runs": "1", "max_decisive_votes": "50"},
    "check-values": {"file": "values.yaml"},
    "erase": {"user_id": "nobody"},
    "evals gate": {"results": "results.json", "show": "pass_rate"},
    "evals list": {"folder": "suites"},
    "evals merge": {"export": "export.yaml", "into": "suites/x_tests.yaml"},
    "evals publish": {"results": "results.json", "address": "s3://reports"},
    "evals report": {"results": "results.json", "output": "page"},
    "evals review": {"file": "suites/x_tests.yaml"},
    "evals run": {"folder": "suites", "backend": "{backend}", "output": "out"},
    "evals speed": {"folder": "suites", "backend": "{backend}", "requests": "1", "warmup": "0", "output": "speed.json"},
    "export": {},
    "judge run": {},
    "migrate": {},
    "outbox list": {},
    "outbox retry": {"everything": ""},
    "prune": {"older_than": "90d"},
}
# These do nothing without a promotion or a server that has counted: `tests/loop/test_promotion.py` has both.
WITH_A_PROMOTION = {"ab plan", "promote", "rollback", "verify"}
# Parameters that name files in words that the command line doesn't take for files, or that `ARGUMENTS` leaves out.
FURTHER = {("evals merge", "into"), ("export", "output"), ("ab export", "output"), ("ab start", "path")}
WRITTEN = {("evals report", "output"), ("evals run", "output"), ("evals speed", "output"), *FURTHER}
