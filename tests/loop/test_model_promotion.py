"""A model that won, from the votes to the commit and back: the values file, its evidence, and the next candidate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from tests.loop.test_promotion import FILE, VALUES, A, counting, edit, experiment_on, git, promote, repository, verified
from tests.support.commands import canopy

__all__ = ["repository"]  # a fixture


async def test_a_model_goes_where_the_former_was_and_back_and_the_next_one_may_be_compared(
    repository: Path, tmp_path: Path
) -> None:
    asked = VALUES.index("  # the candidate"), VALUES.index("ab_testing")
    edit(repository, VALUES[slice(*asked)], "  model_b: granite  # newer\n  max_tokens_b: 512\n")
    before = (repository / FILE).read_text()
    one = prompt_of(A).id
    own: dict[str, Any] = {"model_b": "granite", "max_tokens_b": 512}
    experiment = replace(
        experiment_on(),
        id=experiment_id(one, one, "llama32", 0.2, 4096, **own),
        prompt_b_id=one,
        prompt_b_text=A,
        **own,
    )
    async with counting(tmp_path, experiment, 5, 40) as server:
        status, _, errors = await promote(repository, server, "--commit")
        assert status == 0, errors
    after = (repository / FILE).read_text()
    promoted = before.replace("model: llama32\n", "model: granite\n").replace("  model_b: granite  # newer\n", "")
    assert after == promoted.replace("max_tokens_b", "max_tokens").replace("{enabled: true", "{enabled: false")
    message = git(repository, "log", "-1", "--format=%B")
    assert f"{one} with the model granite, at most 512 tokens answers everybody, " in message
    assert "\nCost, by 49 answers each to the same texts:\n" in message
    assert await verified(repository) == []
    assert (await canopy("rollback", "--values", FILE, "--commit", cwd=repository))[0] == 0
    assert await verified(repository) == []
    back = (repository / FILE).read_text()
    assert 'model: "llama32"\n' in back
    assert "max_tokens" not in back
    candidate = ("--model-b", "granite", "--temperature-b", "0")
    status, said, errors = await canopy("ab", "start", "--values", FILE, *candidate, "--commit", cwd=repository)
    assert status == 0, errors
    assert f"experiment {experiment_id(one, one, 'llama32', 0.2, 4096, model_b='granite', temperature_b=0)}." in said
