"""Everything that has to do with ISATAP in a site: hosts, records, names, policies; from every source that is there."""
