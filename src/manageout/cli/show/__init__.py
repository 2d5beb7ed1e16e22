"""How commands print: tables that fit, findings, JSON. No command is here."""
