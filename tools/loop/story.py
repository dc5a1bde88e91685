"""The story that `make loop` tells: the circle from votes through Git to production and back, step by step."""

import shlex
from pathlib import Path

from tools.loop.stage import Server, Stage

A = "Summarize the following text in a clear and detailed manner:"
B = "State the main point of the text in one short sentence, with the places and dates that matter."
BRANCH = "one-sentence"
_CHAPTERS = 8
_RATIO = 0.6  # how long an answer may be, of its text


class Story:
    """The circle, played on a stage in a folder. `model_server` is a server's URL; None: the embedded model."""

    def __init__(self, stage: Stage, folder: Path, environment: Path, model_server: str | None) -> None:
        self._stage = stage
        self._folder = folder
        self._environment = environment
        self._model = f"LLAMA_STACK_URL: {model_server}\n" if model_server else ""
        self._swaps = -1  # the server has the first values from its start

    def play(self) -> Server:
        """Play all of it. Gives the server, which still runs. Raises click.ClickException where a step fails."""
        self._introduce()
        self._values_in_git()
        server = self._serve()
        self._candidate(server)
        self._votes(server)
        self._complaints(server)
        self._promote(server)
        self._afterwards(server)
        self._back(server)
        return server

    def _introduce(self) -> None:
        say = self._stage.say
        say(
            "This is the whole circle of Canopy: people's votes change a prompt, through Git and with the evidence, "
            "and the change can be checked and taken back. All of it is real but the people. The model is a small one "
            "on this machine."
        )
        say(f"It plays in {self._folder}, of which nothing is left at the end. Ctrl-C ends it. To join in, in another "
            "terminal:")  # fmt: skip
        self._stage.run(f". {shlex.quote(str(self._environment))}", look=1)

    def _values_in_git(self) -> None:
        stage = self._stage
        stage.chapter("The prompt of everybody is a line in Git", _CHAPTERS)
        stage.say("Prompt A asks for detail. It stands in a values file, in a repository with a remote.")
        stage.run(
            f'cat > config.yaml <<END\n{self._model}summarize:\n  prompt: "{A}"\nfeedback:\n  enabled: true\nEND',
            look=0,
        )
        stage.run("git init --quiet && git init --quiet --bare ../remote.git", look=0)
        stage.run("git remote add origin ../remote.git", look=0)
        stage.run('git add . && git commit --quiet --message "Begin"', look=0)
        stage.run("git push --quiet --set-upstream origin main", look=0)

    def _serve(self) -> Server:
        stage = self._stage
        stage.say(
            "In a cluster Argo CD brings the file to the server, and the kubelet swaps it in by a symbolic link. Here "
            "this does the same:"
        )
        self._swap()
        stage.say("One server runs from here to the end. It is never restarted.")
        server = stage.serve("canopy serve > ../server.log", self._folder / "server.log")
        stage.say(
            f"Its pages: {server.url} (to read and vote) and {server.url}/feedback (what came of it). Have a look."
        )
        return server

    def _candidate(self, server: Server) -> None:
        stage = self._stage
        stage.chapter("A candidate", _CHAPTERS)
        stage.say(
            "Somebody thinks that one sentence is enough. That is a commit, too; from then on both prompts answer."
        )
        stage.run(
            f"canopy ab start --values config.yaml --backend {server.url} \\\n"
            f'  --prompt-b "{B}" \\\n'
            '  --name "One sentence" --commit --push --push-live',
            look=5,
        )
        self._swap(server)

    def _votes(self, server: Server) -> None:
        stage = self._stage
        stage.chapter("People choose, and don't know between what", _CHAPTERS)
        stage.say(
            "Each reads both answers side by side. Nobody is told which prompt wrote which. Three of four of these "
            "people like it brief. Canopy looks after every vote, and the decision holds however often one looks."
        )
        stage.run(f"python -m tools.loop.crowd vote --backend {server.url}", look=3)
        stage.say(f"The same on a page: {server.url}/experiments")

    def _complaints(self, server: Server) -> None:
        stage = self._stage
        stage.chapter("Complaints become tests", _CHAPTERS)
        stage.say("Others just read the answer of Prompt A, which everybody still gets, and say what is wrong with it.")
        stage.run(f"python -m tools.loop.crowd rate --backend {server.url}")
        stage.say(
            "Bad answers are exported as test cases. A person says what would have been good: here what a voter says."
        )
        stage.run(
            "mkdir evals && cat > evals/brief_tests.yaml <<END\n"
            "name: brief_tests\n"
            "endpoint: /summarize\n"
            f"scoring_params: {{length: {{ratio: {_RATIO}}}}}\n"
            "tests: []\n"
            "END",
            look=0,
        )
        stage.run("canopy export --output complaints.yaml", look=0)
        stage.run("canopy evals merge complaints.yaml into evals/brief_tests.yaml")
        stage.type(
            f"canopy evals review evals/brief_tests.yaml --backend {server.url}", "take what the [v]oter says", "v"
        )
        stage.say("Prompt A fails these tests, as it should. Prompt B, on a server of its own, has to pass them.")
        stage.run(f"canopy evals run evals --backend {server.url} --output before", status=1, look=3)
        stage.run(f'cat > ../candidate.yaml <<END\n{self._model}summarize:\n  prompt: "{B}"\nEND', look=0)
        candidate = stage.serve(
            "CANOPY_CONFIG_PATH=../candidate.yaml CANOPY_STORE_URL=sqlite:///../candidate.db \\\n"
            "  canopy serve > ../candidate.log",
            self._folder / "candidate.log",
        )
        stage.run(
            f"canopy evals run evals --backend {candidate.url} --output after \\\n  --baseline before/results.json",
            look=3,
        )
        stage.end(candidate)

    def _promote(self, server: Server) -> None:
        stage = self._stage
        stage.chapter("The winner goes through Git, with its evidence", _CHAPTERS)
        stage.say(
            "One command asks the server for the decision, changes the file, and commits both with what they rest on."
        )
        stage.run(
            f"canopy promote --values config.yaml --backend {server.url} \\\n"
            f"  --evaluation after --branch {BRANCH} --push",
            look=4,
        )
        stage.say(
            "Who reviews it reads this, and need not believe it: `verify` makes every number and the change again."
        )
        stage.run(f"git log -1 --format=%B {BRANCH}", look=3)
        stage.run(f"canopy verify main..{BRANCH}", look=3)
        stage.say("Merged. Argo CD and the kubelet do the rest.")
        stage.run(f"git merge --quiet --ff-only {BRANCH} && git push --quiet", look=0)
        self._swap(server)

    def _afterwards(self, server: Server) -> None:
        stage = self._stage
        stage.chapter("Everybody gets the winner", _CHAPTERS)
        stage.say("The same server answers by Prompt B now. It has started once, and took new values twice.")
        stage.run(f"python -m tools.loop.crowd ask --backend {server.url}")
        stage.run("grep -c canopy_started ../server.log", look=0)
        stage.run("grep -c config_reloaded ../server.log", look=1)
        stage.say("And people are happier, as one sees from the votes on single answers:")
        stage.run(f"python -m tools.loop.crowd rate --backend {server.url}", look=3)

    def _back(self, server: Server) -> None:
        stage = self._stage
        stage.chapter("An auditor counts again", _CHAPTERS)
        stage.say(
            "The ballots leave the server without texts and names. What the commit says is counted from them again."
        )
        stage.run("canopy ab export --output ballots.jsonl", look=0)
        stage.run("canopy verify HEAD --ballots ballots.jsonl", look=3)
        stage.chapter("And back", _CHAPTERS)
        stage.say("Had it been worse, one command would take it back, with evidence of its own.")
        stage.run(
            f"canopy rollback --values config.yaml --backend {server.url} \\\n"
            '  --why "To see that it can be done" --commit --push --push-live',
            look=4,
        )
        self._swap(server)
        stage.run(f"python -m tools.loop.crowd ask --backend {server.url}")
        stage.run("canopy verify --all config.yaml", look=3)
        stage.run("git log --oneline", look=3)

    def _swap(self, server: Server | None = None) -> None:
        """Bring the file to the server as a cluster does, and wait until it has taken it."""
        self._stage.run("python -m tools.loop.mount config.yaml ../mount", look=0)
        self._swaps += 1
        if server:
            server.took_values(self._swaps)
