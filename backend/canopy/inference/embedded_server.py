"""Serves the embedded model, as a process: `python embedded_server.py MODEL_FILE ALIAS CONTEXT SLOTS`.

It reads an API key from standard input, serves the model on a free port of 127.0.0.1 to holders of that key, prints its
URL as the only line on standard output, and exits when standard input closes: when the parent closes it or dies, in
whatever way. It ignores signals to the process group, so that streams can finish while the parent shuts down.

It is run as a file and not as a module, so that the process imports nothing of Canopy.
"""

import os
import signal
import sys


def main(model_file: str, alias: str, context: int, slots: int) -> None:
    """Serve until standard input closes. `context` is in tokens and is shared by the slots."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    key = os.read(0, 4096).decode().strip()  # the parent writes it in one piece, which a pipe keeps together
    answer = os.dup(1)
    os.dup2(2, 1)  # what the libraries print goes to standard error

    # Waiting threads yield their processor.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    # Imported after the environment is set, since it reads that.
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no types; late, see above

    params = xllamacpp.CommonParams()
    params.model.path = model_file
    params.model_alias = {alias}  # a set: a string would be taken apart into letters
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_ctx = context
    params.n_parallel = slots
    params.kv_unified = True
    params.cache_ram_mib = 0  # the default keeps up to 8 GB of old prompts
    params.ui = False
    params.verbosity = 1  # errors
    # A prompt is read by all processors. A token is made by half of them: its threads wait for each other at every
    # step, and one that shares its processor with the rest of Canopy makes all of them slow. More than eight don't help
    # so small a model, and a container may count many that it can't use.
    processors = min(os.cpu_count() or 1, 8)
    params.cpuparams_batch.n_threads = processors
    params.cpuparams.n_threads = max(1, processors // 2)

    server = xllamacpp.Server(params)
    os.write(answer, server.listening_address.encode() + b"\n")
    os.close(answer)
    while os.read(0, 4096):
        pass
    # Not `sys.exit`: that would first finish the generations that nobody waits for any more.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
