#!/usr/bin/env bash
# Git's hook commit-msg: a subject fits into a line of `git log`, and stands apart from its body.
set -euo pipefail
export LC_ALL=C.UTF-8 # a letter is one character, however many bytes it has

# Git takes comments out of what comes from an editor alone, and names `:` as the editor where there is none.
comments=$([ "${GIT_EDITOR:-}" = : ] || echo --strip-comments)
message=$(git stripspace $comments <"${1:?the file with the message}")
subject=$(head --lines=1 <<<"$message")
second=$(sed --quiet 2p <<<"$message")
if [ "${#subject}" -gt 72 ]; then
    echo "The subject has ${#subject} characters, and may have 72. Say why in the body." >&2
    exit 1
fi
if [ -n "$second" ]; then
    echo "Leave the line below the subject empty." >&2
    exit 1
fi
