#!/usr/bin/env bash
# From test to prod by one commit: the image that test runs, by its digest, the chart of the tag, and the values that were
# evaluated. Nothing is committed where the gate didn't pass, or where test has changed since.
#
#   gitops/promote.sh TAG REPORTS BACKEND
#
# TAG is the Git tag of the release, such as v1.2.3; REPORTS is the folder that `canopy evals run` wrote, and BACKEND is the
# address of test, which it asked. BLOCKS names what goes over beside the tag, `summarize image` unless you say otherwise;
# CANOPY_EVALS_TOKEN is the bearer token for a backend that wants one.
set -euo pipefail

failed() {
  echo "$1" >&2
  exit 1
}

[ $# = 3 ] || failed "Usage: gitops/promote.sh TAG REPORTS BACKEND"
tag=$1 backend=$3
reports=$(realpath -- "$2")
cd "$(git rev-parse --show-toplevel)"
test=gitops/canopy/test/backend/config.yaml
prod=gitops/canopy/prod/backend/config.yaml
chart=gitops/canopy/prod/backend/chart
appset=gitops/appset-prod.yaml
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What a block holds, without the comments and empty lines behind it, which belong to the next. Items of a list and closing
# brackets may stand at the line's begin. What YAML has beyond that is told at the end, by what the files say then.
block() {
  awk -v key="$2:" '
    index($0, key) == 1 { on = 1; print; next }
    on && /^([ \t]|-([ \t]|$)|[]}])/ { printf "%s", held; held = ""; print; next }
    on && (/^$/ || /^#/) { held = held $0 "\n"; next }
    on { exit }' "$1"
}

# The file with a block of another in the place of its own.
with_block() {
  awk -v key="$2:" -v other="$3" '
    index($0, key) == 1 { while ((getline line < other) > 0) print line; gone = 1; next }
    gone && /^([ \t]|-([ \t]|$)|[]}])/ { held = ""; next }
    gone && (/^$/ || /^#/) { held = held $0 "\n"; next }
    gone { printf "%s", held; held = ""; gone = 0 }
    { print }
    END { printf "%s", held }' "$1"
}

# Gives a key of the first level another text.
with_text() {
  sed -i "s|^$2: *[^ #]*|$2: $3|" "$1"
}

# What the last of the sources, which `ref` names, has under a key: the values come from there.
of_values() {
  sed -n "/^      sources:/,\$ s/^      [- ] $1: *\([^ #]*\).*/\1/p" "$appset" | tail -n 1
}

# An address by which two forms of one repository's are the same; Argo CD tells fewer of them to be.
address() {
  tr '[:upper:]' '[:lower:]' <<< "$1" | sed "s|[\"']||g; s|/*$||; s|\.git$||; s|^[a-z+]*://||; s|^[^/@]*@||; s|^\([^/:]*\):|\1/|"
}

git diff --quiet HEAD -- gitops || failed "There are changes in gitops/ that no commit has. Commit them first: test runs what is committed."
git rev-parse --quiet --verify "refs/tags/$tag^{commit}" > "$scratch/commit" || failed "There is no Git tag $tag."
version=$(git show "$tag:helm/canopy/Chart.yaml" | sed -n 's/^appVersion: "\(.*\)"$/\1/p')
[ "$tag" = "v$version" ] || failed "The chart of $tag is that of version $version. Tag a release as its version, v$version."
git diff --quiet "$tag" HEAD -- helm/canopy || failed "The chart has changed since $tag, so test tried another. Tag what test runs."
digest=$(block "$test" image | grep -o 'sha256:[0-9a-f]\{64\}') ||
  failed "$test names its image by no digest. Set image.digest to what the push printed, and evaluate that."

canopy evals gate "$reports" || failed "The gate didn't pass, so prod stays as it is."
canopy evals gate "$reports" --json > "$scratch/gate.json"
evaluated=$(jq -r '.target.config_revision // ""' "$reports/results.json")
live=$(curl -fsS ${CANOPY_EVALS_TOKEN:+-H "Authorization: Bearer $CANOPY_EVALS_TOKEN"} "$backend/feature-flags?details=true" |
  jq -r '.config_revision')
[ -n "$evaluated" ] && [ "$evaluated" = "$live" ] ||
  failed "What was evaluated (${evaluated:-unknown}) is not what $backend serves now ($live). Evaluate test again."

cp "$prod" "$scratch/new"
for key in ${BLOCKS:-summarize image}; do
  block "$test" "$key" > "$scratch/block"
  [ -s "$scratch/block" ] || failed "$test has no block $key."
  [ -n "$(block "$prod" "$key")" ] || failed "$prod has no block $key. Write one, such as $key: {}, where it should stand."
  with_block "$scratch/new" "$key" "$scratch/block" > "$scratch/next"
  mv "$scratch/next" "$scratch/new"
done
own=''
if [ "$(address "$(sed -n 's/^repo_url: *\([^ #]*\).*/\1/p' "$prod")")" = "$(address "$(of_values repoURL)")" ]; then
  # Of one repository Argo CD takes one commit, and prod's values are of the newest: so that has the tag's chart as well.
  own=yes
  with_text "$scratch/new" chart_path "$chart"
  with_text "$scratch/new" target_revision "$(of_values targetRevision)"
else
  with_text "$scratch/new" target_revision "$tag"
fi
canopy check-values "$scratch/new" > "$scratch/checked" || failed "The values would not be taken in prod; $prod stays as it is."
# shellcheck disable=SC2086  # a word each
canopy check-values "$scratch/new" --against "$test" $(printf -- '--key %s ' ${BLOCKS:-summarize image}) > "$scratch/checked" ||
  failed "The blocks could not be brought over as they are; $prod stays as it is. Copy them by hand."
brings=("$prod")
if [ "$own" ] && [ "$(git rev-parse --quiet --verify "HEAD:$chart")" != "$(git rev-parse "$tag:helm/canopy")" ]; then
  brings+=("$chart")
fi
! cmp -s "$scratch/new" "$prod" || [ "${#brings[@]}" = 2 ] || failed "Prod has all of that already."

cat "$scratch/new" > "$prod"
if [ "${#brings[@]}" = 2 ]; then
  rm -rf "$chart"
  mkdir "$chart"
  git archive "$tag:helm/canopy" | tar -x -C "$chart"
  git add --all --force -- "$chart"
fi
git commit --quiet --message "Bring $tag to prod" --message "Image $digest, evaluated at config revision $live:
$(jq -r '"\(.verdict), pass rate \(.pass_rate)"' "$scratch/gate.json")." -- "${brings[@]}"
echo "$(git rev-parse --short HEAD) brings $tag to prod once it is pushed; git revert takes it back."
