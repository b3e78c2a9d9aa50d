"""Copies what mutation tests need of the workspace, and nothing else: reduce.py core|table FOLDER.

core: the crate `shared` without the modules that speak to AWS or open connections, with its unit tests.
table: all of `shared`, the engines of `local`, and the table's contract of `tests`.
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Modules of `shared` that need the SDK or the network.
ADAPTERS = ["aws", "bots", "breakers", "queue", "roots", "table", "vault"]
# Dependencies that only those have.
OF_ADAPTERS = r"^(aws-|reqwest|webpki|serde_dynamo).*\n"
ENGINES = ["engines", "sns", "sqs", "ssm", "tokens"]
FUNCTIONS = ["credits", "inbox", "smoke", "sweeper", "webhook", "worker"]
PROFILE = """
[workspace.lints.rust]
unused = "allow"
dead_code = "allow"

[profile.dev]
debug = false
opt-level = {own}
[profile.dev.package."*"]
opt-level = {others}
"""


def replaced(path: Path, *changes: tuple[str, str]) -> None:
    """Applies regular expressions to a file; each must match."""
    text = path.read_text()
    for pattern, by in changes:
        text, count = re.subn(pattern, by, text, flags=re.MULTILINE)
        if count == 0:
            sys.exit(f"{path}: nothing matches {pattern!r} any more")
    path.write_text(text)


def workspace(folder: Path, members: list[str], own: int, others: int) -> None:
    """The workspace's manifest, with these members and their dependencies."""
    text = (ROOT / "Cargo.toml").read_text()
    shared = text[text.index("[workspace.package]") : text.index("[workspace.lints")]
    for name in FUNCTIONS:
        shared = re.sub(rf"^{name} = .*\n", "", shared, flags=re.MULTILINE)
    head = f'[workspace]\nresolver = "3"\nmembers = {members!r}\n\n'.replace("'", '"')
    profile = PROFILE.format(own=own, others=others)
    (folder / "Cargo.toml").write_text(head + shared + profile)
    shutil.copy(ROOT / "Cargo.lock", folder)


def core(folder: Path) -> None:
    """`shared` without its adapters."""
    workspace(folder, ["shared"], own=1, others=3)
    source = folder / "shared/src"
    replaced(folder / "shared/Cargo.toml", (OF_ADAPTERS, ""))
    replaced(source / "lib.rs", *[(rf"^(pub )?mod {name};\n", "") for name in ADAPTERS])
    replaced(source / "secrets/mod.rs", (r"^(mod|pub use) (parameters|renewing)\b.*\n", ""))
    http = source / "http.rs"
    text = http.read_text()
    http.write_text(text[: text.index("/// [`Http`] over the network.")])
    replaced(http, (r"^use crate::roots;\n", ""), (r"^use rustls::ClientConfig;\n", ""), (r"^use bytes::\{Bytes, BytesMut\};", "use bytes::Bytes;"))


def table(folder: Path) -> None:
    """`shared`, the engines, and the contract."""
    workspace(folder, ["shared", "local", "tests"], own=0, others=1)
    local, tests = folder / "local", folder / "tests"
    (local / "src").mkdir(parents=True)
    for name in ENGINES:
        for path in (ROOT / "local/src").glob(f"{name}*"):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, local / "src" / path.name)
    shutil.copy(ROOT / "local/Cargo.toml", local)
    needless = "|".join(FUNCTIONS)
    replaced(local / "Cargo.toml", (rf"^({needless})\.workspace = true\n", ""))
    (local / "src/lib.rs").write_text("".join(f"pub mod {name};\n" for name in ENGINES))
    for path in (local / "src").glob("*.rs"):
        # Their own tests use more of `local`.
        path.write_text(path.read_text().replace("#[cfg(test)]\nmod tests;\n", ""))
    (tests / "src").mkdir(parents=True)
    shutil.copytree(ROOT / "tests/tests/table_contract", tests / "tests/table_contract")
    shutil.copy(ROOT / "tests/tests/table_contract.rs", tests / "tests")
    modules = ["contract", "refusal"]
    for name in modules:
        shutil.copy(ROOT / f"tests/src/{name}.rs", tests / "src")
    (tests / "src/lib.rs").write_text("".join(f"pub mod {name};\n" for name in modules))
    names = ["anyhow", "aws-sdk-dynamodb", "aws-smithy-http-client", "clivy", "dynoxide-rs", "futures-util", "local"]
    needed = "".join(f"{name}.workspace = true\n" for name in [*names, "serde_json", "toml"])
    (tests / "Cargo.toml").write_text(
        '[package]\nname = "tests"\nversion.workspace = true\nedition.workspace = true\npublish.workspace = true\n\n'
        f"[dependencies]\n{needed}"
        'tokio = { workspace = true, features = ["rt-multi-thread", "test-util"] }\n'
    )


def main() -> None:
    """Makes the copy anew."""
    what, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    if what not in ("core", "table"):
        sys.exit("core or table")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "shared", folder / "shared")
    (core if what == "core" else table)(folder)


main()
