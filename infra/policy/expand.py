"""A template as CloudFormation sees it after SAM's transform: what SAM adds (roles, permissions, aliases, mappings) is judged
too, and YAML's anchors are resolved.

Parameters stand at their defaults where SAM wants values. What no rule can compute is added to resources under `Clivy`:
to a queue's event source mapping `Function`, `Queue` and `SixTimesTimeout` (seconds), to an HTTP API its `Integrations`
(`Function`, `FunctionMillis`, `TimeoutInMillis`), to a schedule its `Targets` (`Function`, `EventAgeSeconds`). Runs in the environment of SAM and cfn-lint.
"""

import logging
import re

from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies(ManagedPolicyLoader):
    """Nothing is asked at AWS: managed policies of the template stand there by their ARNs."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def function_of(name, resources):
    """The function of that name, or of the alias of that name."""
    resource = resources[name]
    if resource["Type"] == "AWS::Lambda::Alias":
        return function_of(resource["Properties"]["FunctionName"]["Ref"], resources)
    if resource["Type"] != "AWS::Lambda::Function":
        raise ValueError(f"{name} is no function")
    return name


def integrations(api, resources):
    """What an HTTP API forwards to, as SAM writes it into the API's OpenAPI document."""
    found = []
    for methods in api["Properties"]["Body"]["paths"].values():
        for method in methods.values():
            integration = method["x-amazon-apigateway-integration"]
            (name,) = re.findall(r"/functions/\$\{(\w+)(?:\.\w+)?\}/invocations", integration["uri"]["Fn::Sub"])
            function = function_of(name, resources)
            found.append({
                "Function": function,
                "FunctionMillis": 1000 * resources[function]["Properties"]["Timeout"],
                # What an HTTP API waits when nothing is said.
                "TimeoutInMillis": integration.get("timeoutInMillis", 30000),
            })
    return found


def targets(schedule, resources):
    """The functions that a schedule starts, each with how long Lambda keeps an event that fails: six hours if nothing is said."""
    ages = {
        config["Properties"]["FunctionName"]["Ref"]: config["Properties"]["MaximumEventAgeInSeconds"]
        for config in resources.values()
        if config["Type"] == "AWS::Lambda::EventInvokeConfig" and "MaximumEventAgeInSeconds" in config["Properties"]
    }
    names = [target["Arn"].get("Ref") or target["Arn"]["Fn::GetAtt"][0] for target in schedule["Properties"]["Targets"]]
    functions = [function_of(name, resources) for name in names]
    return [{"Function": function, "EventAgeSeconds": ages.get(function, 21600)} for function in functions]


def add_facts(template):
    resources = template["Resources"]
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            function = function_of(properties["FunctionName"]["Ref"], resources)
            resource["Clivy"] = {
                "Function": function,
                "Queue": properties["EventSourceArn"]["Fn::GetAtt"][0],
                "SixTimesTimeout": 6 * resources[function]["Properties"]["Timeout"],
            }
        elif resource["Type"] == "AWS::ApiGatewayV2::Api":
            resource["Clivy"] = {"Integrations": integrations(resource, resources)}
        elif resource["Type"] == "AWS::Events::Rule":
            resource["Clivy"] = {"Targets": targets(resource, resources)}


def expanded(text):
    """The transformed template, without the facts of `add_facts`."""
    template = yaml_parse(text)
    if "Transform" in template:
        defaults = {name: str(p["Default"]) for name, p in template.get("Parameters", {}).items() if "Default" in p}
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                # Where `sam package` would have put it.
                resource["Properties"]["CodeUri"] = "s3://code/function.zip"
        logging.disable(logging.WARNING)
        template = transform(template, defaults, NoManagedPolicies())
    return template

