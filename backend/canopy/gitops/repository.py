"""The Git repository of a values file, by the program `git`."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from canopy.base.errors import ConfigError
from canopy.gitops.git_program import GitError, ShallowCloneError, run_git


@dataclass(frozen=True, slots=True)
class Commit:
    """Names a commit, and the commits that it was made on."""

    revision: str
    parents: tuple[str, ...]


class Repository:
    """One working copy."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def around(cls, path: Path) -> Self:
        """Return the repository that a file or folder is in, or was. Raises ConfigError where it is in none."""
        folder = path.absolute()
        while not folder.is_dir():
            folder = folder.parent
        try:
            found = run_git(folder, "rev-parse", "--show-toplevel")
        except GitError as error:
            raise ConfigError(f"{path} is in no Git repository, so no commit can be made of a change to it.") from error
        return cls(Path(found.decode().removesuffix("\n")))

    def name_of(self, path: Path) -> str:
        """Return a file's path in the repository, as Git writes it."""
        return path.resolve().relative_to(self.root.resolve()).as_posix()

    def revision_of(self, name: str) -> str:
        """Return the full id of the commit that a name means. Raises ConfigError where it means none."""
        try:
            return self._text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except GitError as error:
            self.require_whole_history()
            raise ConfigError(f"There is no commit `{name}` in {self.root}.") from error

    def require_whole_history(self) -> None:
        """Raise ShallowCloneError in a shallow clone."""
        if self._text("rev-parse", "--is-shallow-repository") == "true":
            raise ShallowCloneError(
                "This is a shallow clone, so what was before can't be seen here. Nothing is known to be wrong: fetch "
                "the history with git fetch --unshallow (in CI, fetch-depth: 0), and try again."
            )

    def commit(self, name: str) -> Commit:
        """Return a commit and its parents. Raises ConfigError where there is none."""
        revision, *parents = self._text("rev-list", "--parents", "-n", "1", self.revision_of(name)).split()
        return Commit(revision, tuple(parents))

    def read(self, revision: str, path: str) -> bytes | None:
        """Return a file's content in a commit; None where it isn't there."""
        if not self._text("ls-tree", revision, "--", path):
            return None
        return run_git(self.root, "cat-file", "blob", f"{revision}:{path}")

    def content_id(self, revision: str, path: str) -> str | None:
        """Return Git's id of a file's content in a commit or a tree; None where it isn't there."""
        found = self._text("ls-tree", revision, "--", path).split()
        return found[2] if found else None

    def mode(self, revision: str, path: str) -> str:
        """Return a file's mode in a commit or a tree, as Git writes it; that of a new file where it isn't there."""
        found = self._text("ls-tree", revision, "--", path)
        return found.split()[0] if found else "100644"

    def files_in(self, revision: str, folder: str) -> list[str]:
        """Return the paths of the files that are right in a folder (`.`: the top) in a commit."""
        where = [] if folder == "." else [f"{folder}/"]
        found = _paths(run_git(self.root, "ls-tree", "-z", revision, "--", *where))
        return [it.partition("\t")[2] for it in found if " blob " in it.partition("\t")[0]]

    def changed_in(self, commit: Commit) -> list[str]:
        """Return the paths that differ between a commit and its first parent. Raises ShallowCloneError."""
        return _paths(self._difference(commit, "--no-renames", "--name-only"))

    def deleted_between(self, before: str, after: str) -> list[str]:
        """Return the paths that are in one commit, and not in another."""
        options = ("-r", "-z", "--no-renames", "--diff-filter=D", "--name-only")
        return _paths(run_git(self.root, "diff-tree", *options, before, after))

    def renamed_in(self, commit: Commit, *, likeness: int = 50) -> dict[str, str]:
        """Return what a commit gave another path, by that path; their contents are alike by so many percent."""
        found = _paths(self._difference(commit, f"-M{likeness}%", "--diff-filter=R", "--name-status"))
        return dict(zip(found[2::3], found[1::3], strict=True))  # status, former path, path

    def history_of(self, *paths: str, revision: str = "HEAD", merges: bool | None = None) -> list[str]:
        """Return the commits that changed any of the paths, the newest first; `merges` are these alone, or the rest."""
        which = {None: [], True: ["--merges"], False: ["--no-merges"]}[merges]
        return self._text("log", "--format=%H", *which, revision, "--", *paths).split()

    def added_by(self, path: str, revision: str) -> str | None:
        """Return the last commit up to this one that added a file; None where none did."""
        return self._text("log", "-1", "--format=%H", "--no-renames", "--diff-filter=A", revision, "--", path) or None

    def removed_by(self, path: str, span: str) -> str | None:
        """Return the last commit of a range that took a file away; None where none did, or it is there again."""
        if self.content_id("HEAD", path) is not None:
            return None
        return self._text("log", "-1", "--format=%H", "--no-renames", "--diff-filter=D", span, "--", path) or None

    def commits_of_content(self, content_id: str, span: str) -> list[str]:
        """Return the commits of a range that brought a file's content or took it away, no merges, the newest first."""
        return self._text("log", "--format=%H", "--no-merges", f"--find-object={content_id}", span).split()

    def has(self, revision: str) -> bool:
        """Return whether a commit is here, by its full id."""
        try:
            self._text("cat-file", "-e", f"{revision}^{{commit}}")
        except GitError:
            return False
        return True

    def is_ancestor(self, revision: str, of: str) -> bool:
        """Return whether a commit is in the history of another one; what isn't there at all isn't."""
        try:
            self._text("merge-base", "--is-ancestor", revision, of)
        except GitError:
            return False
        return True

    def merged(self, *revisions: str) -> tuple[str, list[str]] | None:
        """Return the tree that Git makes of two commits by itself, and the paths in which they conflict.

        None for other than two, and where Git doesn't know how: before 2.38, or without a common history.
        """
        if len(revisions) != 2:
            return None
        options = ("--write-tree", "--name-only", "--no-messages", "-z")
        try:
            tree, *conflicts = _paths(run_git(self.root, "merge-tree", *options, *revisions, statuses=(0, 1)))
        except GitError:
            return None
        return tree, conflicts

    def commits_in(self, span: str) -> list[str]:
        """Return the commits of a range such as `main..HEAD`, the newest first. Raises ConfigError for what is none."""
        try:
            return self._text("rev-list", "--end-of-options", span).split()
        except GitError as error:
            self.require_whole_history()
            raise ConfigError(f"`{span}` is no range of commits in {self.root}.") from error

    def is_changed(self, *paths: str) -> bool:
        """Return whether the working copy differs from HEAD in any of the paths, or Git doesn't know one."""
        return bool(self._text("status", "--porcelain", "--untracked-files=all", "--", *paths))

    def stored(self, path: str) -> bytes | None:
        """Return a file as HEAD has it; None where the working copy has changes of it, or Git doesn't know it."""
        return None if self.is_changed(path) else self.read("HEAD", path)

    def ignored(self, *paths: str) -> tuple[str, str] | None:
        """Return the first of the paths that Git ignores, and by what (`.gitignore:1:evidence/`); or None."""
        try:
            found = self._text("check-ignore", "--verbose", "--", *(f"./{path}" for path in paths))
        except GitError:  # which is how it says that there is none
            return None
        for line in found.splitlines():
            rule, _, path = line.partition("\t")
            if not rule.split(":")[-1].startswith("!"):
                return path.removeprefix("./"), rule
        return None

    @property
    def branch(self) -> str | None:
        """Return the branch that is checked out; None if none is."""
        try:
            return self._text("symbolic-ref", "--quiet", "--short", "HEAD")
        except GitError:
            return None

    def has_branch(self, name: str) -> bool:
        """Return whether there is a local branch of this name."""
        return bool(self._text("for-each-ref", f"refs/heads/{name}"))

    def require_branch_name(self, name: str) -> None:
        """Raise ConfigError where Git takes no branch of this name."""
        try:
            self._text("check-ref-format", "--branch", name)
        except GitError as error:
            raise ConfigError(f"`{name}` can't be the name of a branch.") from error

    def remote_url(self, remote: str) -> str:
        """Return a remote's address for pushes. Raises ConfigError where there is none."""
        try:
            return self._text("remote", "get-url", "--push", remote)
        except GitError as error:
            raise ConfigError(f"There is no remote `{remote}` in {self.root}: name one with --remote.") from error

    def default_branch(self, remote: str) -> str | None:
        """Return the branch that a remote's HEAD leads to; None where it leads to none, as before the first push."""
        said = self._remote("ls-remote", "--symref", remote, "HEAD").partition("\t")[0]
        return said.removeprefix("ref: refs/heads/") if said.startswith("ref: refs/heads/") else None

    def commits_behind(self, remote: str, branch: str) -> int:
        """Fetch a branch, and return how many commits it has that HEAD lacks; 0 where the remote doesn't have it."""
        if not self._remote("ls-remote", "--heads", remote, f"refs/heads/{branch}"):
            return 0
        self._remote("fetch", "--quiet", "--no-tags", remote, f"refs/heads/{branch}")
        return int(self._text("rev-list", "--count", "HEAD..FETCH_HEAD"))

    def commit_here(self, files: Mapping[str, bytes], message: str) -> str:
        """Write the files, and commit them and nothing else on the branch that is checked out. Returns the commit.

        Raises GitError where Git refuses, after which the files, which had no changes, are as they were.
        """
        head = self.revision_of("HEAD")
        former = {name: _content(self.root / name) for name in files}
        try:
            for name, content in files.items():
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self._checked_out(name, content))
            self._text("add", "--", *files)
            run_git(self.root, "commit", "--quiet", "--file=-", "--only", "--", *files, given=message.encode())
            made = self.revision_of("HEAD")
            for name, content in files.items():
                _require_same(name, self.read(made, name), content)
        except OSError as error:
            self._put_back(head, former)
            raise ConfigError(f"{error.filename} can't be written ({error.strerror}).") from error
        except BaseException:  # such as a hook's refusal: what is not committed is not there either
            self._put_back(head, former)
            raise
        return made

    def commit_on(self, branch: str, files: Mapping[str, bytes], message: str) -> str:
        """Commit the files on a new branch at HEAD. The working copy stays as it is. Returns the commit."""
        head = self.revision_of("HEAD")
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            run_git(self.root, "read-tree", head, more=index)
            for name, content in files.items():
                given = self._checked_out(name, content)
                blob = run_git(self.root, "hash-object", "-w", "--stdin", "--path", name, given=given).decode().strip()
                _require_same(name, run_git(self.root, "cat-file", "blob", blob), content)
                mode = self.mode(head, name)
                run_git(self.root, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{name}", more=index)
            tree = run_git(self.root, "write-tree", more=index).decode().strip()
        signing = ["-S"] if self._signs() else []
        made = run_git(self.root, "commit-tree", *signing, "-p", head, tree, given=message.encode()).decode().strip()
        self._text("update-ref", f"refs/heads/{branch}", made, "0" * len(made))
        return made

    def take_back(self, revision: str, branch: str | None) -> None:
        """Undo what `commit_here` (None) or `commit_on` a branch has just made. Raises GitError where Git refuses."""
        if branch is not None:
            self._text("update-ref", "-d", f"refs/heads/{branch}", revision)
        elif self.revision_of("HEAD") == revision:
            self._text("reset", "--quiet", "--keep", f"{revision}^")

    def push(self, remote: str, revision: str, branch: str) -> None:
        """Push a commit to a branch of a remote. Raises GitError where the remote refuses it or has moved on."""
        self._remote("push", "--quiet", remote, f"{revision}:refs/heads/{branch}")

    def signature(self, revision: str) -> tuple[str, str]:
        """Return what Git says of a commit's signature: its letter of `%G?`, and who signed.

        N is none, and E one that can't be checked here, for which Git says N as well.
        """
        signed = b"\ngpgsig" in run_git(self.root, "cat-file", "commit", revision).partition(b"\n\n")[0]
        try:
            letter, _, who = self._text("log", "-1", "--format=%G?%x00%GS", revision).partition("\0")
        except GitError:
            if not signed:
                raise
            return "E", ""
        return ("E" if letter == "N" and signed else letter), who

    def committed_at(self, revision: str) -> datetime:
        """Return when a commit was made: written or, where that was later, committed."""
        found = self._text("log", "-1", "--format=%at %ct", revision).split()
        return datetime.fromtimestamp(max(map(int, found)), UTC)

    def message(self, revision: str) -> str:
        """Return a commit's message."""
        return self._text("log", "-1", "--encoding=UTF-8", "--format=%B", revision)

    def _difference(self, commit: Commit, *options: str) -> bytes:
        if not commit.parents:
            self.require_whole_history()
        before = commit.parents[0] if commit.parents else self._text("hash-object", "-t", "tree", "/dev/null")
        return run_git(self.root, "diff-tree", "-r", "-z", *options, before, commit.revision)

    def _checked_out(self, name: str, content: bytes) -> bytes:
        """Return a file's content as Git would write it into the working copy: with line ends as they are wanted."""
        blob = run_git(self.root, "hash-object", "-w", "--stdin", given=content).decode().strip()
        return run_git(self.root, "cat-file", "--filters", f"--path={name}", blob)

    def _put_back(self, head: str, former: Mapping[str, bytes | None]) -> None:
        """Undo a commit that failed half way. What fails in that is not told: why the commit failed is."""
        with suppress(GitError):
            if self.revision_of("HEAD") != head:
                self._text("reset", "--quiet", "--soft", head)
            self._text("reset", "--quiet", "--", *former)
        for name, content in former.items():
            path = self.root / name
            with suppress(OSError):
                if content is not None:
                    path.write_bytes(content)
                else:
                    path.unlink(missing_ok=True)
                    path.parent.rmdir()  # fails where something else is in it

    def _signs(self) -> bool:
        try:
            return self._text("config", "--type=bool", "--get", "commit.gpgsign") == "true"
        except GitError:
            return False

    def _text(self, *arguments: str) -> str:
        return run_git(self.root, *arguments).decode(errors="replace").strip()

    def _remote(self, *arguments: str) -> str:
        return run_git(self.root, *arguments, more={"GIT_TERMINAL_PROMPT": "0"}).decode(errors="replace").strip()


def _paths(found: bytes) -> list[str]:
    return [it.decode(errors="surrogateescape") for it in found.split(b"\0") if it]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _require_same(name: str, stored: bytes | None, content: bytes) -> None:
    if stored != content:
        raise GitError(
            f"Git would store other bytes of {name} than were made, so its digest would be wrong: a hook changes it, "
            "or a line of .gitattributes. Exempt the file, and those in evidence/ beside it."
        )
