"""What people complain of and what Windows shows, in their words -> the causes that the doctor knows.

The table stands in complaints.toml, and the reference page is made of it.
"""

from manageout.words import toml_of


def about(code: str) -> list[str]:
    """In what words people complain of what ``code`` finds."""
    table = toml_of("manageout.doctor", "complaints.toml")
    return [row["words"] for theme in table["themes"] for row in table[theme] if code in row.get("codes", ())]
