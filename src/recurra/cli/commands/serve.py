"""`recurra serve`: serve models and runs over HTTP."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from recurra.cli.options import examples, path, require_port, text, whole

EXAMPLES = examples(
    "recurra serve                         serve every run in runs/",
    "recurra serve runs/kjv --port 0       serve one run, at any free port",
    "curl http://127.0.0.1:8000/v1/models",
    "recurra serve --host 0.0.0.0 --allow-host gpu.example --api-key-file key",
)
NETWORK_GROUP = Group("Network", sort_key=1)

app = App(name="serve", usage="Usage: recurra serve [RUN or MODEL ...] [OPTIONS]", help_epilogue=EXAMPLES)


@app.default
def serve(
    *models: Annotated[
        str,
        Parameter(
            name="MODEL",
            help="Run directories (their best checkpoints) or checkpoint files. Default: every run in runs/.",
        ),
    ],
    host: Annotated[
        str,
        Parameter(
            converter=text,
            group=NETWORK_GROUP,
            help="Address to listen on. An address that other machines can reach needs an API key.",
        ),
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(converter=whole, group=NETWORK_GROUP, help="Port; 0: any free port.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        Parameter(
            group=NETWORK_GROUP,
            show_default=False,
            help="Host name under which clients reach this server (may be repeated).",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        Parameter(
            converter=path,
            group=NETWORK_GROUP,
            show_default="$RECURRA_API_KEY, if set",
            help="File with the API key that clients must send.",
        ),
    ] = None,
) -> int:
    """Serve models over HTTP, to OpenAI clients and to browsers.

    The server offers the completions API of OpenAI (no chat) and a web page.
    It prints its address to stdout when it is ready. SIGTERM or Ctrl-C stops
    it; requests in progress have three seconds to end.
    """
    require_port(port)
    from recurra.api import model_serving
    from recurra.cli.terminal import print_stderr, write_text

    def announce(address: str, names: list[str]) -> None:
        print_stderr(f"serving   {', '.join(names)}", "Press Ctrl-C to stop.")
        write_text(f"{address}\n")

    model_serving.serve(
        models, host=host, port=port, allow_hosts=allow_host or (), api_key_file=api_key_file, announce=announce
    )
    return 0
