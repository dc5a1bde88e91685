#!/usr/bin/env bash
# Print a Python that can run Canopy: 3.12 itself where there is one, else any newer one.
set -euo pipefail

for python in "${PYTHON:-}" python3.12 python3 python python3.13 python3.14; do
    if [ -n "$python" ] && "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
        echo "$python"
        exit
    fi
done
echo "Canopy needs Python 3.12 or newer with its venv module, and none is on the PATH. PYTHON=/path/to/python names one." >&2
exit 1
