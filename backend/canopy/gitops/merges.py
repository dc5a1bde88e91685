"""What a merge itself has changed: what Git doesn't make of its parents, and no commit with evidence tells of."""

from collections.abc import Iterable

from canopy.gitops.repository import Commit, Repository


def altered_in(repository: Repository, commit: Commit, values: str, evidence: Iterable[str]) -> list[str]:
    """Return in a sentence each what a merge has changed by itself of a values file and its evidence.

    What Git makes of the parents is nobody's change. Where it can't tell (a conflict, several branches at once) the
    file has to be that of a parent which has the evidence.
    """
    evidence = list(evidence)
    own = {path: repository.content_id(commit.revision, path) for path in (values, *evidence)}
    made = repository.merged(*commit.parents)
    bringing = [it for it in commit.parents if all(repository.content_id(it, path) == own[path] for path in evidence)]
    altered = []
    for path, content in own.items():
        if made is not None and path not in made[1]:
            right = content == repository.content_id(made[0], path)
            right = right and repository.mode(commit.revision, path) == repository.mode(made[0], path)
        else:
            right = content in [repository.content_id(it, path) for it in bringing]
        if not right:
            if made is None:
                repository.require_whole_history()
            altered.append(
                f"The merge itself changes {path}: Git makes something else of the commits that it merges."
                if made is not None or len(commit.parents) > 2
                else f"Whether the merge itself changes {path} this Git can't tell: it takes version 2.38 or newer."
            )
    return altered
