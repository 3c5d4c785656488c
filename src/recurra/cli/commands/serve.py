"""`recurra serve`: models and runs over HTTP."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from recurra.cli.options import path, require_port, text, whole
from recurra.system import optional_dependencies

EXAMPLES = """\
Examples:
  recurra serve                         every run in runs/, at port 8000
  recurra serve runs/kjv --port 0       one, at any free port
  curl http://127.0.0.1:8000/v1/models
  recurra serve --host 0.0.0.0 --allow-host gpu.example --api-key-file key"""
NETWORK = Group("From where", sort_key=1)

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
            converter=text, group=NETWORK, help="The address to listen at; any but this machine's own needs a key."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(converter=whole, group=NETWORK, help="The port; 0: any that is free.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        Parameter(group=NETWORK, show_default=False, help="A name that clients call this server by (may be repeated)."),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        Parameter(
            converter=path,
            group=NETWORK,
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
    optional_dependencies.require("serve", "`recurra serve`")
    from recurra.cli.terminal import say, write_text
    from recurra.serving.access import access, read_key, require_guarded
    from recurra.serving.listening import bind, url
    from recurra.serving.registry import scan
    from recurra.serving.server import serve as run
    from recurra.web.site import create_site

    key, names = read_key(api_key_file), tuple(allow_host or ())
    require_guarded(host, names, key)
    registry = scan(models)
    listening = bind(host, port)
    bound = listening.getsockname()[1]
    for served in registry.values():  # compile the kernels before a client waits for them
        served.model.samples(max_new_tokens=1, num_return_sequences=2)
        served.model.score(served.model.vocabulary.unspell(served.model.vocabulary.symbols[:2]))
    guard = create_site(registry, access(host, bound, names=names, key=key))

    def started() -> None:
        say(f"serving   {', '.join(registry)}", "Ctrl-C stops it.")
        write_text(f"{url(host, bound)}\n")

    run(guard, listening, started)
    return 0
