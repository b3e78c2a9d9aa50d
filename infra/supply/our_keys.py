"""What detect-secrets does not know: the keys that this project handles."""

import re

from detect_secrets.plugins.base import RegexBasedDetector


class OurKeysDetector(RegexBasedDetector):
    """OpenRouter's keys, and the inbox's API keys (functions/inbox/src/auth): words of their own, then 64 hexadecimal digits."""

    secret_type = "Key of OpenRouter or of the inbox"
    denylist = [re.compile(r"\b(?:sk-or-v1-|clivy_)[0-9a-f]{64}\b")]
