"""Sans-IO machines, the time, and what came out of them: for transcripts."""
