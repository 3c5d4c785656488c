"""`recurra serve`: models and runs over HTTP."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from recurra.cli.options import path, require_port, text, whole

EXAMPLES = """\
Examples:
  recurra serve                         every run in runs/, at port 8000
  recurra serve runs/kjv --port 0       one, at any free port
  curl http://127.0.0.1:8000/v1/models
  recurra serve --host 0.0.0.0 --allow-host gpu.example --api-key-file key"""
NETWORK_GROUP = Group("From where", sort_key=1)

app = App(name="serve", usage="Usage: recurra serve [RUN or MODEL ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def serve(
    *models: Annotated[
        str,
        Parameter(
            name="MODEL",
            help="Run folders (their best checkpoints) or checkpoint files. None: every run in runs/.",
        ),
    ],
    host: Annotated[
        str,
        Parameter(
            converter=text,
            group=NETWORK_GROUP,
            help="The address to listen at; any but this machine's own needs a key.",
        ),
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(converter=whole, group=NETWORK_GROUP, help="The port; 0: any that is free.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        Parameter(
            group=NETWORK_GROUP, show_default=False, help="A name that clients call this server by (may be repeated)."
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        Parameter(
            converter=path,
            group=NETWORK_GROUP,
            show_default="$RECURRA_API_KEY, if set",
            help="A file with the key that clients must show.",
        ),
    ] = None,
) -> int:
    """Serve models: an API that OpenAI's clients talk to.

    The address goes to stdout once the server listens. SIGTERM or Ctrl-C
    stops it within five seconds, and what is under way may end before.
    """
    require_port(port)
    from recurra.api import model_serving
    from recurra.cli.terminal import print_stderr, write_text

    def announce(address: str, names: list[str]) -> None:
        print_stderr(f"serving   {', '.join(names)}", "Ctrl-C stops it.")
        write_text(f"{address}\n")

    model_serving.serve(
        models, host=host, port=port, allow_hosts=allow_host or (), api_key_file=api_key_file, announce=announce
    )
    return 0
