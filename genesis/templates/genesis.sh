#!/bin/sh
# What a pull request does to trackers: checks the project, and writes a comment that says what changes.
#
#   ci/genesis.sh BASE [COMMENT]    BASE: the branch or commit it goes into; COMMENT: the file to write
#
# It runs from the project's root and needs git with the history since BASE, and genesis: no engine, no network, no
# secret. It fails where `genesis check` finds an error, or the comparison fails; a change alone fails nothing.
set -u

base=${1:?name the branch or commit that the change goes into}
comment=${2:-genesis-comment.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

NO_COLOR=1 genesis check >"$work/check" 2>&1
checked=$?
genesis diff "$base" --format markdown >"$work/diff" 2>"$work/said"
compared=$?
cat "$work/check" "$work/said" >&2

fenced() { # what was said, between fences that nothing in it ends
    echo
    echo '~~~~~~~~~~text'
    head -c 4000 "$1" | sed 's/^~~~~*/~ /'
    echo
    echo '~~~~~~~~~~'
}
{
    if [ -s "$work/diff" ]; then cat "$work/diff"; else echo '<!-- genesis diff -->'; fi
    if [ "$checked" -ne 0 ]; then
        echo
        echo '**`genesis check` found what must be mended first:**'
        fenced "$work/check"
    elif [ "$compared" -ne 0 ]; then
        echo
        echo '**The change could not be compared:**'
        fenced "$work/said"
    fi
} >"$work/whole"

# Services refuse longer comments; `genesis diff` keeps to that, and what was said besides may not fit any more.
if [ "$(wc -c <"$work/whole")" -gt 65000 ]; then cp "$work/diff" "$work/whole"; fi
cp "$work/whole" "$comment"

if [ "$checked" -ne 0 ]; then exit "$checked"; fi
exit "$compared"
