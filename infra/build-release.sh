#!/usr/bin/env bash
# Builds what is deployed, once, with the deployment's own command: FOLDER/clivy-ARCHITECTURE.tar.gz, which is SAM's build folder
# with a list of each function's parts (sbom/), and its SHA-256 beside it.
#
#   infra/build-release.sh arm64|x86_64 FOLDER
#
# The compiler is cargo-lambda's (zig): it links against the glibc of Lambda's system, whatever this machine has. The Rust target
# is added if it is missing.
set -euo pipefail

cd "$(dirname "$0")/.."
. infra/tools/env.sh
case "${1:-}" in
    arm64) target=aarch64-unknown-linux-gnu machine=AArch64 ;;
    x86_64) target=x86_64-unknown-linux-gnu machine=X86-64 ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
architecture="$1" folder="${2:?the folder for the archive}"
need cargo cargo-lambda cargo-cyclonedx readelf sam sha256sum tar zig
[ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"

rm -rf .aws-sam/build
sam build --parameter-overrides "Architecture=$architecture"
infra/sbom.sh "$target" .aws-sam/build/sbom

# provided.al2023 has glibc 2.34: what asks for a newer one builds and does not start.
built=0
for bootstrap in .aws-sam/build/*/bootstrap; do
    readelf --file-header "$bootstrap" | grep -q "Machine:.*$machine" || { echo "$bootstrap is not for $architecture" >&2; exit 1; }
    newest="$(readelf --version-info --wide "$bootstrap" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)"
    if [ "$(printf '%s\nGLIBC_2.34\n' "$newest" | sort -V | tail -n 1)" != GLIBC_2.34 ]; then
        echo "$bootstrap wants $newest, Lambda has 2.34" >&2
        exit 1
    fi
    echo "$bootstrap: $(stat --format %s "$bootstrap") bytes, $newest"
    built=$((built + 1))
done
[ "$built" = "$(find functions -mindepth 2 -maxdepth 2 -name Cargo.toml | wc -l)" ] || { echo "only $built functions were built" >&2; exit 1; }

# The same commit gives the same archive, as far as the compiler does.
mkdir -p "$folder"
archive="clivy-$architecture.tar.gz"
tar --create --sort=name --mtime="@$(git log -1 --format=%ct)" --owner=0 --group=0 --numeric-owner \
    --directory .aws-sam/build . | gzip --no-name >"$folder/$archive"
(cd "$folder" && sha256sum "$archive" | tee "$archive.sha256")
