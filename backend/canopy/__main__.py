"""`python -m canopy` is `canopy`."""

import gc
import signal


def main() -> None:
    """Run the command. Until it is loaded, Ctrl-C ends the process without a word."""
    gc.disable()  # what is imported stays, and looking through it again and again takes a twentieth of the time
    former = signal.getsignal(signal.SIGINT)
    if former is signal.default_int_handler:  # and isn't ignored, as shells let what runs in the background do
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from canopy.cli import main as run  # noqa: PLC0415 - after the line above

    signal.signal(signal.SIGINT, former)
    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
