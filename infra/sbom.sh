#!/usr/bin/env bash
# Writes what each function is made of, as CycloneDX: FOLDER/FUNCTION.cdx.json, from Cargo.lock for one target. Each is compared
# with what cargo says that the function links and is built by. The same commit gives the same files.
#
#   infra/sbom.sh TARGET FOLDER     for example aarch64-unknown-linux-gnu target/sbom
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
[ $# -eq 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
target="$1" folder="$2"
need cargo cargo-cyclonedx python3

# It writes beside every manifest of the workspace, whatever it is asked for.
name="clivy-sbom-$$"
clean() {
    find . -name "$name*" -not -path './target/*' -delete
}
trap clean EXIT
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" \
    --override-filename "$name"

mkdir -p "$folder"
for manifest in functions/*/Cargo.toml; do
    function="$(basename "$(dirname "$manifest")")"
    # Without the folder of this checkout, which is in its references.
    sed "s#file://$PWD/#file:///clivy/#g" "functions/$function/$name.json" >"$folder/$function.cdx.json"
    cargo tree --locked --offline --package "$function" --edges normal,build --target "$target" --prefix none --format '{p}' |
        python3 -c '
import json, sys
listed = {(part["name"], part["version"]) for part in json.load(open(sys.argv[1]))["components"]}
wanted = {tuple(line.split()[:2]) for line in sys.stdin if line.strip()}
wanted = {(name, version.removeprefix("v")) for name, version in wanted if name != sys.argv[2]}
missing = sorted(wanted - listed)
print(f"{sys.argv[1]}: {len(listed)} components")
if missing or len(wanted) < 50:
    sys.exit(f"{sys.argv[1]}: cargo names {len(wanted)} crates; not listed: {missing}")
' "$folder/$function.cdx.json" "$function"
done
