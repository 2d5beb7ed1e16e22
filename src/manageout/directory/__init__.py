"""What talks to other people's servers: DNS updates, Active Directory."""
