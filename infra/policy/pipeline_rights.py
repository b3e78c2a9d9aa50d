"""What the pipeline's execution role would miss when it deploys a template.

CloudFormation's own description of a kind of resource, which cfn-lint brings, names the actions that creating, reading,
updating and deleting one may take. Whether the role's `Resource` fits is not looked at.
"""

import json
from pathlib import Path

import cfnlint.data.schemas.resources


def handlers():
    """By type, every action that its handlers may take."""
    actions = {}
    for file in Path(cfnlint.data.schemas.resources.__path__[0]).glob("*.json"):
        schema = json.loads(file.read_text())
        steps = schema.get("handlers", {}).values()
        actions.setdefault(schema.get("typeName"), set()).update(*(step.get("permissions", []) for step in steps))
    return actions


def faults(template, pipeline, not_needed):
    """`not_needed` is a list of `{actions, reason}`; one of them that no kind of resource may need, in any template, or
    that is allowed all the same, is a fault."""
    allowed = set()
    for policy in pipeline["Resources"]["ExecutionRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            allowed.update([actions] if isinstance(actions, str) else actions)
    known = handlers()
    wanted = {}
    found = []
    for kind in sorted({resource["Type"] for resource in template["Resources"].values()}):
        if not known.get(kind):
            found.append(f"{kind}: nothing says what deploying it takes")
        for action in known.get(kind, ()):
            wanted.setdefault(action, kind)
    excused = {action for entry in not_needed for action in entry["actions"]}
    found += [
        f"infra/pipeline.yaml: ExecutionRole does not allow {action}, which {kind} may need"
        for action, kind in sorted(wanted.items()) if action not in allowed | excused
    ]
    needed_anywhere = set().union(*known.values())
    found += [f"{action} is listed as not needed, and nothing needs it anyway" for action in sorted(excused - needed_anywhere)]
    found += [f"{action} is both allowed and listed as not needed" for action in sorted(excused & allowed)]
    return found
