#!/usr/bin/env bash
# dnspython writes a name in a record with the letters of an equal name before it: the question decides about capitals.
#
# Version: dnspython 2.9.2.
# Behaviour: to_wire() compresses names without regard to case, so the target of a CNAME or PTR record that ends like the
#   question points into it, and comes out as the client wrote it there. A message that is read and written again has
#   other letters than before, which depend on who asked. (BIND compresses with regard to case, unless no-case-compress.)
# Seen:
#   question APP.CORP.EXAMPLE., set target: web.corp.example., read back: web.CORP.EXAMPLE.
#   question app.corp.example., set target: web.corp.example., read back: web.corp.example.
set -euo pipefail
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
python3 -m venv "$DIR/venv" && "$DIR/venv/bin/pip" --quiet install dnspython==2.9.2
cat > "$DIR/one.py" <<'PY'
import sys
import dns.message, dns.rrset
query = dns.message.make_query(sys.argv[1], "A")
answer = dns.message.make_response(query)
answer.answer.append(dns.rrset.from_text(sys.argv[1], 60, "IN", "CNAME", "web.corp.example."))
print(dns.message.from_wire(answer.to_wire()).answer[0][0].target)
PY
one() {
    local seen; seen=$("$DIR/venv/bin/python" "$DIR/one.py" "$1")
    echo "question $1, set target: web.corp.example., read back: $seen"
    [[ $seen == "$2" ]] || { echo "changed: it was to be $2"; exit 1; }
}
one APP.CORP.EXAMPLE. web.CORP.EXAMPLE.
one app.corp.example. web.corp.example.
