#!/usr/bin/env bash
# Make the virtual environment $1, by the first Python that can run Canopy (3.12 itself where there is one, else any newer
# one), and install the lock $2 there. An environment that works is kept: something may be running in it.
set -euo pipefail

venv=${1:?the folder to make} lock=${2:?the lock to install}

install=(-m pip --disable-pip-version-check install --quiet --no-compile --no-deps --require-hashes --requirement "$lock")

if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exec "$venv/bin/python" "${install[@]}"
fi

for python in "${PYTHON:-}" python3.12 python3 python python3.13 python3.14; do
    if [ -n "$python" ] && "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
        found=$python
        break
    fi
done
if [ -z "${found:-}" ]; then
    echo "Canopy needs Python 3.12 or newer with its venv module, and none is on the PATH. PYTHON=/path/to/python names one." >&2
    exit 1
fi

echo "Making $venv with $("$found" --version) …"
"$found" -m venv --clear --without-pip "$venv"

# The wheel of pip that comes with Python installs the locked pip straight away. Unpacking and compiling it first, as
# `ensurepip` does, takes seconds more; it is for a Python whose distributor keeps the wheel elsewhere.
wheel=$("$found" -c 'import ensurepip, pathlib, sysconfig
places = [pathlib.Path(ensurepip.__file__).with_name("_bundled"), pathlib.Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "")]
print(next((str(wheel) for place in places for wheel in place.glob("pip-*.whl")), ""))')
[ -n "$wheel" ] || "$venv/bin/python" -m ensurepip
PYTHONPATH=$wheel "$venv/bin/python" "${install[@]}" || {
    echo "The packages can't be had. Is there a network, and does pip know the proxy or mirror (pip config)?" >&2
    exit 1
}
