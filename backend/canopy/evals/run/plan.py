"""Plans a run: the suites of a folder, each prompt once, with their thresholds."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from canopy.base.errors import ConfigError
from canopy.evals.run.thresholds import Thresholds, nearest
from canopy.evals.scorers.catalog import SCORERS, require_scorer
from canopy.evals.scorers.template import is_template, read_template
from canopy.evals.suites.cases import EvalCase, Suite, find, load
from canopy.text.visible import excerpt


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """Names a suite of the run, its path and the thresholds that apply to it."""

    path: Path
    file: str  # relative to the folder that is run
    suite: Suite
    thresholds: Thresholds
    thresholds_file: str | None  # None: the defaults


@dataclass(frozen=True, slots=True)
class Plan:
    """Lists the suites of a run, and notes on what was left out."""

    parts: list[SuitePlan]
    notes: list[str]

    @property
    def cases(self) -> list[tuple[SuitePlan, EvalCase]]:
        """Return every case with its suite, in the order of the report."""
        return [(part, case) for part in self.parts for case in part.suite.cases]

    def rules(self, judge_model: str | None) -> str:
        """Return a hash of everything that determines scores but the cases: scorers, parameters, files, thresholds."""
        rules: list[list[object]] = [
            [part.file, part.suite.scoring_params, _named_files(part), _scorer_rules(part.thresholds)]
            for part in self.parts
        ]
        rules.append([judge_model])
        return f"sha256:{hashlib.sha256(orjson.dumps(rules, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]}"


def make_plan(folder: Path) -> Plan:
    """Read every suite below a folder (or one file). Raises ConfigError for any error in them."""
    parts = list(read_parts(folder))
    for part in parts:
        _check_deciding(part.path, part.suite, part.thresholds)
    blank = [
        f"{part.file}: left out {counted_cases(part.suite.placeholders)} without a prompt."
        for part in parts
        if part.suite.placeholders
    ]
    plan = _each_prompt_once(parts)
    return replace(plan, notes=blank + plan.notes)


def read_parts(folder: Path) -> Iterable[SuitePlan]:
    """Yield every suite below a folder (or of one file), duplicates included. Raises ConfigError for any error."""
    root = folder.parent if folder.is_file() else folder
    for path in find(folder):
        suite = load(path)
        source, thresholds = nearest(path, root)
        for name in suite.scoring_params:
            require_scorer(name, f"{path}: `scoring_params`")
        yield SuitePlan(path, _relative(path, root), suite, thresholds, _relative(source, root) if source else None)


def _check_deciding(path: Path, suite: Suite, thresholds: Thresholds) -> None:
    if not any(thresholds.decides(name) for name in suite.scoring_params):
        name = next(iter(suite.scoring_params))
        deciding = ", ".join(f"`{each}`" for each in SCORERS if Thresholds().decides(each))
        raise ConfigError(
            f"{path}: no scorer in `scoring_params` decides whether a case passes; they only inform. Add one that "
            f"decides ({deciding}), or let one of them decide by a thresholds.yaml beside the suite: "
            f"`scorers: {{{name}: {{decides: true}}}}`."
        )


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _each_prompt_once(parts: list[SuitePlan]) -> Plan:
    """Remove duplicates: an export still holds, unreviewed, what was reviewed in another file."""
    chosen: dict[str, tuple[SuitePlan, EvalCase]] = {}
    for part in parts:
        for case in part.suite.cases:
            there, known = chosen.setdefault(case.id, (part, case))
            if case.reviewed and not known.reviewed:
                chosen[case.id] = (part, case)
            elif case.reviewed and case.expected_result != known.expected_result:
                raise ConfigError(
                    f"{there.path} and {part.path} expect different results of one prompt "
                    f"({excerpt(case.prompt, 60)}); keep one of the two."
                )
    kept, left_out = [], Counter[str]()
    for part in parts:
        cases = [case for case in part.suite.cases if chosen[case.id][1] is case]
        left_out[part.file] = len(part.suite.cases) - len(cases)
        kept.append(replace(part, suite=replace(part.suite, cases=cases)))
    return Plan(kept, list(_notes(left_out)))


def _notes(left_out: Counter[str]) -> Iterable[str]:
    for file, n in left_out.items():
        if n:
            yield f"{file}: left out {counted_cases(n)} whose prompt stands in another suite as well."


def _scorer_rules(thresholds: Thresholds) -> dict[str, dict[str, object]]:
    """Return the scorers' thresholds. Unset newer keys are omitted, so that equal rules keep an equal hash."""
    newer = ("rubric", "scale")
    return {
        name: {key: value for key, value in rules.model_dump().items() if key not in newer or value is not None}
        for name, rules in thresholds.scorers.items()
    }


def counted_cases(n: int) -> str:
    """Return a number of cases in words."""
    return "1 case" if n == 1 else f"{n:,} cases"


def _named_files(part: SuitePlan) -> dict[str, str]:
    """Return the contents of the files that parameters name, such as a `prompt_template`."""
    files = {}
    for params in part.suite.scoring_params.values():
        name = (params or {}).get("prompt_template")
        if isinstance(name, str) and not is_template(name):
            with suppress(ValueError):  # reported when the scorer is opened
                template = read_template(part.path.parent, name)
                files[name] = hashlib.sha256(template.encode()).hexdigest()
    return files
