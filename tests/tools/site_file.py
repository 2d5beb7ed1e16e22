"""The site files of tests: the tables that most begin with, each as short as it may be; a test adds its own."""

from __future__ import annotations

SITE = '[site]\nprefix = "fd12:3456:789a::/48"\n'
DOMAIN = 'domain = "corp.example"\n'
"""Goes behind :data:`SITE`."""
GATEWAY = '[gateway]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\n'
ROUTER = '[isatap]\nlocators = ["10.0.0.1"]\n'
