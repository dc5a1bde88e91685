"""The evaluations as a Kubeflow pipeline: clone, find, run, keep the reports, and a gate at the end.

`make pipeline` compiles it to kubeflow.yaml, which is what Kubeflow takes. A component does nothing itself: it calls
`git` and `canopy`, which the image brings. So what runs in the cluster is what runs in a terminal.
"""

import sys
from functools import partial

from kfp import compiler, dsl, kubernetes
from kfp.dsl import HTML, Artifact, Input, Metrics, Output, PipelineTask

# The image's stage `evals`. By digest (…@sha256:…) where the same pipeline should stay the same.
IMAGE = "registry.example.com/your-account/canopy-evals:0.2.0"

# One Secret in the namespace where the pipeline runs; each key is needed only by who uses what it opens.
SECRET = "canopy-evals"  # noqa: S105 - the name of a Secret
GIT = ["GIT_USERNAME", "GIT_PASSWORD"]
BACKEND = ["CANOPY_EVALS_TOKEN"]
STORAGE = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"]
MLFLOW = ["CANOPY_MLFLOW_TOKEN"]

component = partial(dsl.component, base_image=IMAGE, install_kfp_package=False)


@component
def clone(repo_url: str, revision: str, folder: str, suites: Output[Artifact]) -> None:
    """Bring the folder with the suites from the repository."""
    import shutil
    import subprocess
    import tempfile
    from pathlib import Path

    # Git asks this for what a private repository needs; where nothing is set it goes on without.
    answer = 'test -z "$GIT_PASSWORD" || printf "username=%s\\npassword=%s\\n" "$GIT_USERNAME" "$GIT_PASSWORD"'
    helper = f"credential.helper=!f() {{ {answer}; }}; f"
    with tempfile.TemporaryDirectory() as checkout:
        git = ["git", "-C", checkout]
        subprocess.run([*git, "init", "--quiet"], check=True)
        fetch = [*git, "-c", helper, "fetch", "--quiet", "--depth=1"]
        subprocess.run([*fetch, "--", repo_url, revision], check=True)
        subprocess.run([*git, "checkout", "--quiet", "FETCH_HEAD"], check=True)
        found = (Path(checkout) / folder).resolve()
        if not found.is_relative_to(Path(checkout).resolve()) or not found.is_dir():
            raise SystemExit(f"There is no folder {folder} in {repo_url} at {revision}.")
        shutil.copytree(found, suites.path)


@component
def find(suites: Input[Artifact]) -> None:
    """Say which suites there are. Without one, or with one that can't be read, nothing is asked of the backend."""
    import subprocess

    subprocess.run(["canopy", "evals", "list", suites.path], check=True)


@component
def run(
    suites: Input[Artifact],
    backend_url: str,
    judge_url: str,
    judge_model: str,
    scoring: str,
    baseline: str,
    results: Output[Artifact],
    page: Output[HTML],
    figures: Output[Metrics],
) -> None:
    """Ask the backend, score its answers, write the reports. That the gate failed is for a later step to say."""
    import json
    import shutil
    import subprocess
    from pathlib import Path

    command = ["canopy", "evals", "run", suites.path, "--output", results.path, "--scoring", scoring]
    command += ["--backend", backend_url]
    command += ["--judge", judge_url] if judge_url else []
    command += ["--judge-model", judge_model] if judge_model else []
    former = Path(suites.path) / baseline
    command += ["--baseline", str(former)] if former.is_file() else []
    status = subprocess.run(command, check=False).returncode
    if status not in (0, 1):
        raise SystemExit(status)
    shutil.copy(Path(results.path) / "report.html", page.path)
    summary = ["canopy", "evals", "gate", results.path, "--json"]
    said = subprocess.run(summary, check=True, capture_output=True, text=True)
    for name, value in json.loads(said.stdout)["figures"].items():
        figures.log_metric(name, value)


@component
def upload(results: Input[Artifact], address: str) -> None:
    """Copy the reports to a storage, where one is named."""
    import subprocess

    if address:
        subprocess.run(["canopy", "evals", "publish", results.path, "--to", address], check=True)


@component
def to_mlflow(results: Input[Artifact], url: str, experiment: str) -> None:
    """Log the run to MLflow, where one is named."""
    import subprocess

    if url:
        subprocess.run(
            ["canopy", "evals", "publish", results.path, "--mlflow", url, "--experiment", experiment], check=True
        )


@component
def gate(results: Input[Artifact]) -> None:
    """Fail when the run was not good enough."""
    import subprocess

    raise SystemExit(subprocess.run(["canopy", "evals", "gate", results.path], check=False).returncode)


def _set_up(task: PipelineTask, secrets: list[str] | None = None) -> PipelineTask:
    """What holds for each task: never from Kubeflow's cache, as the backend changes without its inputs changing."""
    task.set_caching_options(enable_caching=False)
    kubernetes.set_security_context(task, run_as_non_root=True)
    if secrets:
        kubernetes.use_secret_as_env(task, SECRET, {key: key for key in secrets}, optional=True)
    return task


@dsl.pipeline(name="canopy-evals", description="Is what the backend answers good enough?")
def evaluate(
    repo_url: str,
    backend_url: str,
    judge_url: str = "",
    judge_model: str = "",
    revision: str = "main",
    folder: str = "canopy-evals",
    scoring: str = "auto",
    baseline: str = "baseline.json",
    upload_to: str = "",
    mlflow_url: str = "",
    mlflow_experiment: str = "canopy-evals",
) -> None:
    """Evaluate the suites of a repository's folder against a backend."""
    cloned = _set_up(clone(repo_url=repo_url, revision=revision, folder=folder), GIT)
    found = _set_up(find(suites=cloned.outputs["suites"]))
    ran = _set_up(
        run(
            suites=cloned.outputs["suites"],
            backend_url=backend_url,
            judge_url=judge_url,
            judge_model=judge_model,
            scoring=scoring,
            baseline=baseline,
        ).after(found),
        BACKEND,
    )
    results = ran.outputs["results"]
    uploaded = _set_up(upload(results=results, address=upload_to), STORAGE)
    logged = _set_up(to_mlflow(results=results, url=mlflow_url, experiment=mlflow_experiment), MLFLOW)
    # Last, so that the reports of a run that failed the gate are kept as well.
    _set_up(gate(results=results).after(uploaded, logged))


if __name__ == "__main__":
    compiler.Compiler().compile(evaluate, sys.argv[1])
