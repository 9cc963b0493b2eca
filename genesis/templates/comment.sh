#!/bin/sh
# Puts the comment on the pull request: one comment, found by its first line, edited when there is one already.
#
#   ci/comment.sh [COMMENT]
#
# GitHub: by `gh`, with the token that the workflow has. GitLab: its job token may not comment, so nothing is written unless
# GENESIS_GITLAB_TOKEN is there. What cannot be written is told, and fails nothing: the comment is an artifact too.
set -u

comment=${1:-genesis-comment.md}
marker='<!-- genesis diff -->'

on_github() {
    all="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
    ours='.[] | select(.user.type == "Bot" and (.body | startswith("'$marker'"))) | .id'
    found=$(gh api --paginate "$all" --jq "$ours") || return 1
    found=$(printf '%s\n' "$found" | head -n 1)
    if [ -n "$found" ]; then
        gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$found" -F "body=@$comment" --silent
    else
        gh api --method POST "$all" -F "body=@$comment" --silent
    fi
}

gitlab() { # curl with the token, which is in no argument
    printf 'header = "PRIVATE-TOKEN: %s"\n' "$GENESIS_GITLAB_TOKEN" | curl --config - -fsS "$@"
}

on_gitlab() {
    all="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
    notes=$(gitlab "$all?per_page=100&sort=asc") || return 1
    found=$(printf '%s' "$notes" | python3 -c '
import json, sys
notes = json.load(sys.stdin)
print(next((note["id"] for note in notes if note["body"].startswith(sys.argv[1])), ""))' "$marker") || return 1
    if [ -n "$found" ]; then
        gitlab -X PUT --data-urlencode "body@$comment" -o /dev/null "$all/$found"
    else
        gitlab -X POST --data-urlencode "body@$comment" -o /dev/null "$all"
    fi
}

if [ -n "${GITHUB_REPOSITORY:-}" ] && [ -n "${PULL_REQUEST:-}" ]; then
    on_github || echo "the comment could not be written: of a fork, the token may only read" >&2
elif [ -n "${CI_MERGE_REQUEST_IID:-}" ] && [ -n "${GENESIS_GITLAB_TOKEN:-}" ]; then
    on_gitlab || echo "the comment could not be written: may GENESIS_GITLAB_TOKEN use the API?" >&2
else
    echo "there is no pull request, or no token that may comment: see $comment" >&2
fi
