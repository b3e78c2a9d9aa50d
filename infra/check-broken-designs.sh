#!/usr/bin/env bash
# Does the simulation bite? Each patch of tests/sim/broken/ makes the real code one of the nine broken designs of the
# protocol; the simulation must find each within so many seeds. Works on a copy: the working tree stays as it is.
#
# Usage: infra/check-broken-designs.sh [SEEDS] [NAME-OF-A-PATCH...]    (2000 seeds; all patches)
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=infra/tools/env.sh
. "$root/infra/tools/env.sh"
need cargo git

seeds="${1:-2000}"
shift || true
# The copy stays between runs, so that only what a patch changes is compiled again.
copy="$root/target/broken"
mkdir -p "$copy"
failed=0

# Copies what differs, so that nothing else is compiled again.
restore() {
    (cd "$root" && git ls-files -z) | while IFS= read -r -d '' file; do
        if [ -f "$root/$file" ] && ! cmp -s "$root/$file" "$copy/$file"; then
            mkdir -p "$copy/$(dirname "$file")"
            cp "$root/$file" "$copy/$file"
        fi
    done
}

printf '%-52s  %s\n' "broken design" "found"
for patch in "$root"/tests/sim/broken/*.patch; do
    name="$(basename "$patch" .patch)"
    if [ "$#" -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    restore
    # Without a repository of its own the copy would be patched as part of ours, where it is ignored.
    (cd "$copy" && GIT_CEILING_DIRECTORIES="$root/target" git apply "$patch")
    (cd "$copy" && CARGO_TARGET_DIR="$root/target/broken-build" cargo build --quiet --profile sim -p sim)
    sim="$root/target/broken-build/sim/sim"
    # The scripted scenarios first, with every single fault and with none: two thousand schedules.
    output="$("$sim" --exhaustive --stop 2>&1 || true)"
    found="$(grep -m 1 -E '^found by | without a fault: ' <<<"$output" || true)"
    if [ -z "$found" ]; then
        # First the kept ones, then from 1 on.
        output="$("$sim" --seeds "$seeds" --threads 1 --stop || true)"
        found="$(grep -m 1 '^found by ' <<<"$output" || true)"
    fi
    if [ -z "$found" ]; then
        found="NOT FOUND within $seeds seeds"
        failed=1
    fi
    printf '%-52s  %s\n' "$name" "$found"
done
restore
exit "$failed"
