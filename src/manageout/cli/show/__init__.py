"""What commands share: options, files that they write, tables that fit, findings. No command is here."""
