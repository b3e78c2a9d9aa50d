"""Looks for secrets in every file that git knows, by detect-secrets and our own detector, and shows that it would find one.

    scan.py [--list]

What it finds must be in secrets-allowed.toml with a reason; an entry that nothing needs is a fault. --list prints all that is
found, as that file names it.
"""

import argparse
import base64
import fnmatch
import json
import secrets
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
# What a text looks like, not what it is: these may be allowed for whole folders, the others for one secret in one file only.
LOOKS = {"Base64 High Entropy String", "Hex High Entropy String", "Secret Keyword"}


def found(folder, *options):
    """(file, kind, first 8 digits of the secret's SHA-1) of all that detect-secrets finds below the folder."""
    run = subprocess.run(
        ["detect-secrets", "-c", "2", "-C", str(folder), "scan", "--no-verify", "-p", str(HERE / "our_keys.py"), *options],
        capture_output=True, text=True, check=True,
    )
    report = json.loads(run.stdout)
    return {
        (file, secret["type"], secret["hashed_secret"][:8])
        for file, ones in report["results"].items() for secret in ones
    }


def excuse(entries, file, kind, secret):
    """The place of the entry that allows this one, or None."""
    for place, entry in enumerate(entries):
        if file in entry.get("files", ()) and secret in entry.get("hashes", ()):
            return place
        if kind in LOOKS and any(fnmatch.fnmatch(file, folder) for folder in entry.get("folders", ())):
            return place
    return None


def planted():
    """A name and a text for each kind of secret that must be found, made anew at every run: none of them is in a file of ours."""
    return {
        "openrouter": f'    let key = "sk-or-v1-{secrets.token_hex(32)}";\n',
        "inbox": f"curl -H 'Authorization: Bearer clivy_{secrets.token_hex(32)}'\n",
        "aws": f"AWS_ACCESS_KEY_ID=AKIA{base64.b32encode(secrets.token_bytes(10)).decode()}\n",
        "github": f"token: ghp_{secrets.token_hex(18)}\n",
        "private": "-----BEGIN RSA " + "PRIVATE KEY-----\n",
        "url": f"https://someone:{secrets.token_hex(8)}@gateway.example.com/\n",
    }


def blind_spots(entries):
    """What was planted and not reported: in a place of its own, and in each folder where texts that look so are allowed."""
    faults = []
    with tempfile.TemporaryDirectory() as copy:
        copy = Path(copy)
        folders = ["shared/src", *(folder.rstrip("*/") for entry in entries for folder in entry.get("folders", ()))]
        files = {f"{folder}/{name}.txt": text for folder in folders for name, text in planted().items()}
        for file, text in files.items():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            (copy / file).write_text(text)
        seen = {file for file, kind, secret in found(copy, "--all-files") if excuse(entries, file, kind, secret) is None}
        faults += [f"a secret that was planted in {file} is not found" for file in sorted(set(files) - seen)]
    return faults, len(files)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    entries = tomllib.loads((HERE / "secrets-allowed.toml").read_text())["allowed"]
    everything = sorted(found("."))
    faults, used = [], set()
    for file, kind, secret in everything:
        place = excuse(entries, file, kind, secret)
        used.add(place)
        if arguments.list:
            print(f"{'allowed' if place is not None else 'FOUND  '} {secret} {kind}: {file}")
        if place is None:
            faults.append(f"{file}: {kind} ({secret}); if it is none, say so in infra/supply/secrets-allowed.toml")
        elif "hashes" in entries[place]:
            used.add((place, secret))
    for place, entry in enumerate(entries):
        if len(entry["reason"].split()) < 3:
            faults.append(f"allowed without a reason: {entry}")
        if place not in used:
            faults.append(f"nothing needs what is allowed: {entry}")
        faults += [f"nothing needs {secret}: {entry}" for secret in entry.get("hashes", ()) if (place, secret) not in used]
    blind, tried = blind_spots(entries)
    faults += blind
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"secrets: {len(everything)} findings, all but {len(faults)} allowed; {tried} planted secrets, {tried - len(blind)} found")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
