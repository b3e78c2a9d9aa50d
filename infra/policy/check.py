"""Judges templates by the rules of infra/guard (cfn-guard) and by checkov, and shows that both bite.

    check.py TEMPLATE...

- Every rule holds for every template. The exceptions from checkov's are in exceptions.toml; one that nothing needs is a fault.
- Every rule of infra/guard has a spoiling in spoilings.toml: a template with that one change must break that rule.
- A spoiling may name a check of checkov instead, which then must find it.
- The pipeline may do what CloudFormation needs for every kind of resource of template.yaml.
"""

import copy
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pipeline_rights
from expand import add_facts, expanded

HERE = Path(__file__).parent
GUARD = HERE.parent / "guard"


def spoil(template, spoiling):
    """A copy of the template with one place changed: set to `to`, taken away without it; `+` is a list's new end."""
    template = copy.deepcopy(template)
    *parents, last = [int(step) if step.isdecimal() else step for step in spoiling["at"].split("/")]
    place = template
    for step in parents:
        place = place[step]
    if "to" not in spoiling:
        del place[last]
    elif last == "+":
        place.append(spoiling["to"])
    else:
        if isinstance(place, list):
            place[last]  # there, or this is an IndexError
        place[last] = spoiling["to"]
    return template


def broken_rules(folder):
    """By the name of each file of the folder, the names of the rules that it breaks."""
    run = subprocess.run(
        ["cfn-guard", "validate", "--rules", GUARD, "--data", folder, "--structured", "--output-format", "json",
         "--show-summary", "none"],
        capture_output=True, text=True,
    )
    # 0: all hold, 19: some do not; anything else is a rule or a file that could not be read.
    if run.returncode not in (0, 19):
        raise SystemExit(f"cfn-guard: {run.stderr or run.stdout}")
    broken = {}
    for report in json.loads(run.stdout):
        rules = {fault["Rule"]["name"]: fault for fault in report["not_compliant"]}
        broken.setdefault(Path(report["name"]).stem, {}).update(rules)
    return broken


def failed_checks(files):
    """By the name of each file, the (check, resource's type and name) of checkov that fail there, with what the check wants."""
    arguments = [argument for file in files for argument in ("--file", str(file))]
    run = subprocess.run(
        ["checkov", *arguments, "--framework", "cloudformation", "--output", "json", "--compact", "--quiet", "--skip-download"],
        capture_output=True, text=True,
    )
    if run.returncode not in (0, 1):
        raise SystemExit(f"checkov: {run.stderr or run.stdout}")
    reports = json.loads(run.stdout)
    failed = {file.stem: {} for file in files}
    for report in reports if isinstance(reports, list) else [reports]:
        if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
            raise SystemExit(f"checkov could not read a template: {report['summary']}")
        for check in report["results"]["failed_checks"]:
            failed[Path(check["file_path"]).stem][check["check_id"], check["resource"]] = check["check_name"]
    return failed


def unseen(spoilings, files, broken, failed):
    """Rules that no spoiling shows to bite, and spoilings that are not seen."""
    named = {rule for file in GUARD.glob("*.guard") for rule in re.findall(r"^rule (\w+)", file.read_text(), re.MULTILINE)}
    bitten = {spoiling["rule"] for spoiling in spoilings if "rule" in spoiling}
    faults = [f"{rule}: no spoiling shows that it bites" for rule in sorted(named - bitten)]
    faults += [f"{rule}: no such rule, but a spoiling" for rule in sorted(bitten - named)]
    for file, spoiling in zip(files, spoilings):
        if "rule" in spoiling:
            wanted, found = spoiling["rule"], set(broken[file.stem])
        else:
            wanted, found = spoiling["check"], {check for check, _ in failed[file.stem]}
        if wanted not in found:
            faults.append(f"{wanted} does not see {spoiling['at']} spoiled; seen by {sorted(found) or 'none'}")
    return faults


def not_excused(files, exceptions, broken, failed):
    """What is wrong with the templates themselves, and exceptions that nothing needs."""
    faults, used = [], set()
    for file in files:
        faults += [
            f"{file.stem}: {rule}: {json.dumps(fault['Rule']['checks'])[:1500]}" for rule, fault in broken[file.stem].items()
        ]
        for (check, resource), wish in failed[file.stem].items():
            excuses = {
                (place, excused) for place, exception in enumerate(exceptions) for excused in exception["resources"]
                if exception["check"] == check and excused in (resource, *resource.split("."))
            }
            used |= excuses
            if not excuses:
                faults.append(f"{file.stem}: {resource}: {check}: {wish}")
    for place, exception in enumerate(exceptions):
        faults += [
            f"{exception['check']}: nothing needs the exception for {resource}"
            for resource in exception["resources"] if (place, resource) not in used
        ]
    return faults


def written(folder, name, template):
    """The template with its facts, as the file that the tools read."""
    template = copy.deepcopy(template)
    add_facts(template)
    file = Path(folder) / f"{name}.json"
    file.write_text(json.dumps(template, indent=1))
    return file


def main(paths):
    spoilings = tomllib.loads((HERE / "spoilings.toml").read_text())["spoiling"]
    listed = tomllib.loads((HERE / "exceptions.toml").read_text())
    templates = {path: expanded(Path(path).read_text()) for path in paths}
    with tempfile.TemporaryDirectory() as folder:
        files = [written(folder, Path(path).stem, template) for path, template in templates.items()]
        spoiled = [
            written(folder, f"spoiled-{place:02}", spoil(templates[spoiling["template"]], spoiling))
            for place, spoiling in enumerate(spoilings)
        ]
        broken = broken_rules(folder)
        failed = failed_checks(files + [file for file, spoiling in zip(spoiled, spoilings) if "check" in spoiling])

    faults = unseen(spoilings, spoiled, broken, failed)
    faults += not_excused(files, listed["exception"], broken, failed)
    faults += pipeline_rights.faults(templates["template.yaml"], templates["infra/pipeline.yaml"], listed["not_needed"])
    for entry in listed["exception"] + listed["not_needed"]:
        if len(entry["reason"].split()) < 3:
            faults.append(f"an exception without a reason: {entry}")
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"cfn-guard and checkov: {len(templates)} templates, {len(spoilings)} spoilings, "
          f"{len(listed['exception'])} exceptions, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
