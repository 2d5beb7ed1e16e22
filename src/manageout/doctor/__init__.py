"""Evidence -> facts -> findings: why a machine cannot be managed out, or cannot manage. Pure."""
